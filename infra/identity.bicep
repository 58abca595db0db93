metadata description = 'Stage one: the resource group and the identity, which the app registration has to know before the rest can be made.'

targetScope = 'subscription'

@description('Short name of this installation: lower-case letters and digits. All resource names derive from it.')
@minLength(3)
@maxLength(20)
param name string

@description('Region of everything.')
param location string

@description('Tags of the resource group and everything in it.')
param tags object = {}

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

@description('Name of the identity.')
output identityName string = identity.outputs.name

@description('Object id of the identity: subject of the federated credential.')
output principalId string = identity.outputs.principalId
