metadata description = 'What wakes a person, and what only informs one. docs/operating.md says for each what it means and what to do.'

@description('Prefix of the rules\' names.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Application Insights component that holds the application\'s log.')
param insightsName string

@description('Who is told.')
param actionGroupId string

@description('Key Vault that holds the refresh tokens.')
param vaultId string

@description('Storage account that holds the mailboxes.')
param storageId string

@description('Mailboxes that come to need a person within an hour and are still normal.')
param heldThreshold int

// The application logs what matters as event=<name> …; one place knows how to find such a line.
var eventIs = 'traces | where extract("event=([a-z_]+)", 1, message) =='

// A rule that resolves by itself has to be asked more often than every twelve hours.
var logRules = [
  {
    name: 'credential-failing'
    description: 'Entra refuses the application\'s own credential: no mailbox can be connected and no token refreshed. Ours to mend.'
    query: '${eventIs} "client_credential_failing"'
    severity: 0
    frequency: 'PT5M'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
    resolves: true
  }
  {
    name: 'wakeups-poisoned'
    description: 'A wake-up failed five times and was set aside: its mailbox may stand still.'
    query: '${eventIs} "wakeup_poisoned"'
    severity: 1
    frequency: 'PT15M'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
    resolves: true
  }
  {
    name: 'server-errors'
    description: 'The interface answers with 5xx.'
    query: 'requests | where toint(resultCode) >= 500'
    severity: 1
    frequency: 'PT5M'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 5
    resolves: true
  }
  {
    name: 'messages-uncertain'
    description: 'The connection broke after a message was handed over and before the answer: somebody has to say whether it arrived.'
    query: '${eventIs} "message_uncertain"'
    severity: 2
    frequency: 'PT15M'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
    resolves: true
  }
  {
    name: 'mail-held'
    description: 'Many mailboxes at once hold their mail for a person: a change at Microsoft or at a large customer.'
    query: '${eventIs} "message_held"'
    severity: 2
    frequency: 'PT15M'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: heldThreshold
    resolves: true
  }
  {
    name: 'upkeep-missing'
    description: 'The five-minute timer has not run for an hour: lost wake-ups are not found, tokens are not kept alive.'
    query: '${eventIs} "upkeep"'
    severity: 1
    frequency: 'PT15M'
    window: 'PT1H'
    operator: 'LessThan'
    threshold: 1
    resolves: true
  }
  {
    name: 'unknown-replies'
    description: 'Microsoft answered in words the guidance does not know; its class was used. Worth a new row.'
    query: '${eventIs} "unknown_reply"'
    severity: 3
    frequency: 'P1D'
    window: 'P1D'
    operator: 'GreaterThan'
    threshold: 0
    resolves: false
  }
]

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource logAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in logRules: {
  name: '${name}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: '${name}-${rule.name}'
    description: rule.description
    enabled: true
    severity: rule.severity
    scopes: [
      insights.id
    ]
    evaluationFrequency: rule.frequency
    windowSize: rule.window
    autoMitigate: rule.resolves
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: rule.operator
          threshold: rule.threshold
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        actionGroupId
      ]
    }
  }
}]

resource vaultThrottled 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${name}-vault-throttled'
  location: 'global'
  tags: tags
  properties: {
    description: 'Key Vault answers 429: time for a second vault, or something asks far too often.'
    severity: 2
    enabled: true
    scopes: [
      vaultId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'throttled'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.KeyVault/vaults'
          metricName: 'ServiceApiResult'
          dimensions: [
            {
              name: 'StatusCode'
              operator: 'Include'
              values: [
                '429'
              ]
            }
          ]
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 10
        }
      ]
    }
    actions: [
      {
        actionGroupId: actionGroupId
      }
    ]
  }
}

resource storageThrottled 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${name}-storage-throttled'
  location: 'global'
  tags: tags
  properties: {
    description: 'The storage account turns requests away: time for a second one.'
    severity: 2
    enabled: true
    scopes: [
      storageId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'throttled'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.Storage/storageAccounts'
          metricName: 'Transactions'
          dimensions: [
            {
              name: 'ResponseType'
              operator: 'Include'
              values: [
                'ServerBusyError'
                'ClientThrottlingError'
                'ClientAccountRequestThrottlingError'
              ]
            }
          ]
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 10
        }
      ]
    }
    actions: [
      {
        actionGroupId: actionGroupId
      }
    ]
  }
}
