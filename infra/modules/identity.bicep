metadata description = 'The identity the application acts with, towards Azure and, as federated credential, towards Entra.'

@description('Name of the user-assigned managed identity.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Name of the identity.')
output name string = identity.name

@description('Resource id, for the resources that carry the identity.')
output resourceId string = identity.id

@description('Object id, for role assignments and as subject of the federated credential.')
output principalId string = identity.properties.principalId

@description('Client id, for the SDKs that ask for tokens.')
output clientId string = identity.properties.clientId
