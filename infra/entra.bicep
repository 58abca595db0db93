extension microsoftGraphV1

metadata description = 'The app registration that mailbox owners consent to, with the managed identity as its only credential. The same as infra/register, for those who may use the Graph extension.'

@description('Short name of this installation, as in identity.bicep. It is the registration\'s immutable key.')
@minLength(3)
@maxLength(20)
param name string

@description('Name that mailbox owners see when they are asked to consent.')
param productName string

@description('What browsers and Microsoft see, without /api.')
param publicUrl string

@description('Whether personal Microsoft accounts may connect too.')
param personalAccounts bool = false

var microsoftGraph = '00000003-0000-0000-c000-000000000000'

// Delegated permissions of Microsoft Graph. They grant nothing; they shape what an administrator is shown.
var delegatedPermissions = [
  '258f6531-6087-4cc4-bb90-092c5fb3ed3f' // SMTP.Send
  '7427e0e9-2fba-42fe-b0c0-848c9e6a8182' // offline_access
  '37f7f235-527c-4136-accd-4a02d197296e' // openid
  '64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0' // email
  '14dad69e-099b-42c9-810b-d002981feec1' // profile
]

var resourceAccess = [for permission in delegatedPermissions: {
  id: permission
  type: 'Scope'
}]

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: 'id-${name}'
}

resource registration 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: name
  displayName: productName
  signInAudience: personalAccounts ? 'AzureADandPersonalMicrosoftAccount' : 'AzureADMultipleOrgs'
  api: {
    requestedAccessTokenVersion: 2
  }
  web: {
    redirectUris: [
      '${publicUrl}/api/oauth/callback'
    ]
    implicitGrantSettings: {
      enableAccessTokenIssuance: false
      enableIdTokenIssuance: false
    }
  }
  requiredResourceAccess: [
    {
      resourceAppId: microsoftGraph
      resourceAccess: resourceAccess
    }
  ]
}

resource credential 'Microsoft.Graph/applications/federatedIdentityCredentials@v1.0' = {
  name: '${registration.uniqueName}/managed-identity'
  description: 'The function app\'s managed identity signs in as this application: there is no client secret.'
  issuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
  subject: identity.properties.principalId
  audiences: [
    'api://AzureADTokenExchange'
  ]
}

resource servicePrincipal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: registration.appId
}

@description('Client id of the app registration.')
output clientId string = registration.appId

@description('Object id of its service principal in this directory.')
output servicePrincipalId string = servicePrincipal.id
