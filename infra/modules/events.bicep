metadata description = 'The Event Grid topic that tells subscribers what became of accounts and messages, as CloudEvents.'

@description('Name of the topic.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Reached through private endpoints only.')
param privateNetworking bool

resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: name
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    minimumTlsVersionAllowed: '1.2'
    publicNetworkAccess: privateNetworking ? 'Disabled' : 'Enabled'
  }
}

@description('Name of the topic.')
output name string = topic.name

@description('Resource id of the topic.')
output resourceId string = topic.id

@description('Where events are published.')
output endpoint string = topic.properties.endpoint
