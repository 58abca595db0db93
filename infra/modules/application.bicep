metadata description = 'The function app on a Flex Consumption plan, and every setting it is given. No key, no password, no secret.'

@description('Name of the function app.')
param name string

@description('Name of the plan.')
param planName string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Instances in several availability zones.')
param zoneRedundant bool

@description('Instances kept ready, for example [{ name: \'http\', instanceCount: 1 }].')
param alwaysReady array

@description('Most instances the platform may add for each group of functions.')
param maximumInstances int

@description('Requests one instance answers at a time. The platform\'s default for Python is one.')
param httpConcurrency int

@description('Resource id of the managed identity.')
param identityId string

@description('Client id of the managed identity.')
param identityClientId string

@description('Container the package is deployed to.')
param deploymentContainerUrl string

@description('Subnet the application reaches out from; empty for the platform\'s own.')
param subnetId string

@description('Application Insights component.')
param insightsName string

@description('What browsers and Microsoft see, without /api; empty for the function app\'s own host name.')
param publicUrl string

@description('The product\'s name on pages and in the test message.')
param productName string

@description('Origins of the frontend.')
param allowedOrigins array

@description('Who issues the callers\' tokens.')
param callerIssuer string

@description('Audience of the callers\' tokens.')
param callerAudience string

@description('Claim that says whose data it is.')
param callerCustomerClaim string

@description('Where mailbox owners sign in.')
param entraAuthority string

@description('Client id of the app registration.')
param entraClientId string

@description('Where refresh tokens and sealing keys are kept.')
param vaultUri string

@description('Submission server.')
param smtpHost string

@description('Port of the submission server.')
param smtpPort int

@description('Where the tables are.')
param tableEndpoint string

@description('Where the queues are.')
param queueEndpoint string

@description('Where the blobs are.')
param blobEndpoint string

@description('Where events are published.')
param eventGridEndpoint string

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    clientAffinityEnabled: false
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      remoteDebuggingEnabled: false
    }
    functionAppConfig: {
      runtime: {
        name: 'python'
        version: '3.13'
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: deploymentContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: 2048
        maximumInstanceCount: maximumInstances
        alwaysReady: alwaysReady
        triggers: {
          http: {
            perInstanceConcurrency: httpConcurrency
          }
        }
      }
    }
  }
}

resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'appsettings'
  properties: {
    PUBLIC_URL: empty(publicUrl) ? 'https://${app.properties.defaultHostName}' : publicUrl
    PRODUCT_NAME: productName
    ALLOWED_ORIGINS: join(allowedOrigins, ',')
    CALLER_ISSUER: callerIssuer
    CALLER_AUDIENCE: callerAudience
    CALLER_CUSTOMER_CLAIM: callerCustomerClaim
    ENTRA_AUTHORITY: entraAuthority
    ENTRA_CLIENT_ID: entraClientId
    MANAGED_IDENTITY_CLIENT_ID: identityClientId
    KEY_VAULT_URL: vaultUri
    SMTP_HOST: smtpHost
    SMTP_PORT: string(smtpPort)
    EVENT_GRID_ENDPOINT: eventGridEndpoint
    AzureWebJobsStorage__tableServiceUri: tableEndpoint
    AzureWebJobsStorage__queueServiceUri: queueEndpoint
    AzureWebJobsStorage__blobServiceUri: blobEndpoint
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identityClientId
    // The platform's own. The connection string is an address, not a credential: the component refuses local authentication.
    APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
    PYTHON_THREADPOOL_THREAD_COUNT: '64'
  }
}

resource noScmPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

resource noFtpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

@description('Name of the function app.')
output name string = app.name

@description('What browsers and Microsoft see, without /api.')
output publicUrl string = empty(publicUrl) ? 'https://${app.properties.defaultHostName}' : publicUrl
