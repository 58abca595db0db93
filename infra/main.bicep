metadata description = 'Everything the application needs in Azure. Deployed by infra/deploy, after identity.bicep and the app registration.'

targetScope = 'subscription'

@description('Short name of this installation: lower-case letters and digits, unique in the world. All resource names derive from it.')
@minLength(3)
@maxLength(20)
param name string

@description('Region of everything.')
param location string

@description('Tags of the resource group and everything in it.')
param tags object = {}

@description('What browsers and Microsoft see, without /api; empty for the function app\'s own host name.')
param publicUrl string = ''

@description('The product\'s name on pages and in the test message.')
param productName string

@description('Origins of the frontend: CORS, and who is told that connecting is done.')
param allowedOrigins array

@description('Issuer of the callers\' tokens (OpenID Connect discovery).')
param callerIssuer string

@description('Audience of the callers\' tokens.')
param callerAudience string

@description('Claim of the callers\' tokens that says whose data it is.')
param callerCustomerClaim string = 'customer_id'

@description('Client id of the app registration that mailbox owners consent to.')
param entraClientId string

@description('Whether personal Microsoft accounts may connect too; the app registration has to agree.')
param personalAccounts bool = false

@description('Submission server.')
param smtpHost string = 'smtp.office365.com'

@description('Port of the submission server.')
param smtpPort int = 587

@description('Instances kept ready, for example [{ name: \'http\', instanceCount: 1 }, { name: \'function:deliver\', instanceCount: 1 }]; at least two each with zoneRedundant.')
param alwaysReady array = []

@description('Most instances the platform may add for each group of functions.')
@minValue(1)
@maxValue(1000)
param maximumInstances int = 100

@description('Requests one instance answers at a time.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 32

@description('Instances in several availability zones.')
param zoneRedundant bool = false

@description('Replication of the storage account.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
param storageSku string = 'Standard_ZRS'

@description('Days after which message content is deleted whatever became of it.')
@minValue(91)
param contentDays int = 100

@description('Private endpoints, one fixed outbound address; costs about 75 USD a month.')
param privateNetworking bool = false

@description('recover when a deleted vault of this name is to come back with its secrets.')
@allowed([
  'default'
  'recover'
])
param vaultCreateMode string = 'default'

@description('Who gets alerts and budget notices: e-mail addresses.')
@minLength(1)
param alertEmails array

@description('Mailboxes that come to need a person within an hour and are still normal.')
param heldThreshold int = 10

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Gigabytes of logs a day after which no more are taken.')
@minValue(1)
param logDailyQuotaGb int = 5

@description('Amount a month above which a notice is sent, in the billing currency.')
@minValue(1)
param monthlyBudget int

@description('First day of the month of the first deployment, as yyyy-MM-dd; infra/deploy fills it in and keeps it.')
param budgetStartDate string

var applicationSubnetName = 'application'
var networkName = 'vnet-${name}'
var signInEndpoint = environment().authentication.loginEndpoint
var signInAudience = personalAccounts ? 'common' : 'organizations'

resource resourceGroup 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${name}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: resourceGroup
  params: {
    name: 'id-${name}'
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: resourceGroup
  params: {
    workspaceName: 'log-${name}'
    insightsName: 'appi-${name}'
    actionGroupName: 'ag-${name}'
    location: location
    tags: tags
    retentionDays: logRetentionDays
    dailyQuotaGb: logDailyQuotaGb
    alertEmails: alertEmails
  }
}

module storage 'modules/storage.bicep' = {
  scope: resourceGroup
  params: {
    name: 'st${name}'
    location: location
    tags: tags
    sku: storageSku
    privateNetworking: privateNetworking
    contentDays: contentDays
  }
}

module vault 'modules/vault.bicep' = {
  scope: resourceGroup
  params: {
    name: 'kv-${name}'
    location: location
    tags: tags
    privateNetworking: privateNetworking
    createMode: vaultCreateMode
    workspaceId: monitoring.outputs.workspaceId
  }
}

module events 'modules/events.bicep' = {
  scope: resourceGroup
  params: {
    name: 'evgt-${name}'
    location: location
    tags: tags
    privateNetworking: privateNetworking
  }
}

module access 'access.bicep' = {
  scope: resourceGroup
  params: {
    principalId: identity.outputs.principalId
    storageName: storage.outputs.name
    vaultName: vault.outputs.name
    topicName: events.outputs.name
    insightsName: monitoring.outputs.insightsName
  }
}

module network 'modules/network.bicep' = if (privateNetworking) {
  scope: resourceGroup
  params: {
    name: name
    location: location
    tags: tags
    networkName: networkName
    applicationSubnetName: applicationSubnetName
    storageId: storage.outputs.resourceId
    vaultId: vault.outputs.resourceId
    topicId: events.outputs.resourceId
  }
}

module application 'modules/application.bicep' = {
  scope: resourceGroup
  params: {
    name: 'func-${name}'
    planName: 'plan-${name}'
    location: location
    tags: tags
    zoneRedundant: zoneRedundant
    alwaysReady: alwaysReady
    maximumInstances: maximumInstances
    httpConcurrency: httpConcurrency
    identityId: identity.outputs.resourceId
    identityClientId: identity.outputs.clientId
    deploymentContainerUrl: storage.outputs.deploymentContainerUrl
    subnetId: privateNetworking ? resourceId(subscription().subscriptionId, resourceGroup.name, 'Microsoft.Network/virtualNetworks/subnets', networkName, applicationSubnetName) : ''
    insightsName: monitoring.outputs.insightsName
    publicUrl: publicUrl
    productName: productName
    allowedOrigins: allowedOrigins
    callerIssuer: callerIssuer
    callerAudience: callerAudience
    callerCustomerClaim: callerCustomerClaim
    entraAuthority: '${signInEndpoint}${signInAudience}'
    entraClientId: entraClientId
    vaultUri: vault.outputs.uri
    smtpHost: smtpHost
    smtpPort: smtpPort
    tableEndpoint: storage.outputs.tableEndpoint
    queueEndpoint: storage.outputs.queueEndpoint
    blobEndpoint: storage.outputs.blobEndpoint
    eventGridEndpoint: events.outputs.endpoint
  }
  // The roles need minutes to take effect and the subnet is named, not referenced: both have to be there first.
  dependsOn: [
    access
    network
  ]
}

module alerts 'modules/alerts.bicep' = {
  scope: resourceGroup
  params: {
    name: name
    location: location
    tags: tags
    insightsName: monitoring.outputs.insightsName
    actionGroupId: monitoring.outputs.actionGroupId
    vaultId: vault.outputs.resourceId
    storageId: storage.outputs.resourceId
    heldThreshold: heldThreshold
  }
}

module budget 'modules/budget.bicep' = {
  scope: resourceGroup
  params: {
    name: 'budget-${name}'
    amount: monthlyBudget
    startDate: budgetStartDate
    alertEmails: alertEmails
  }
}

@description('The resource group.')
output resourceGroupName string = resourceGroup.name

@description('The function app.')
output applicationName string = application.outputs.name

@description('What browsers and Microsoft see, without /api.')
output publicUrl string = application.outputs.publicUrl

@description('Object id of the managed identity: subject of the federated credential.')
output principalId string = identity.outputs.principalId

@description('The role assignments, by resource id; the deployment waits until all are visible.')
output roleAssignmentIds array = access.outputs.assignmentIds
