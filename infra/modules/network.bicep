metadata description = 'Private networking, a paid option: the application goes out through one fixed address and reaches storage, vault and topic through private endpoints.'

@description('Name of the installation.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Name of the virtual network.')
param networkName string

@description('Name of the subnet the application reaches out from.')
param applicationSubnetName string

@description('Storage account.')
param storageId string

@description('Key Vault.')
param vaultId string

@description('Event Grid topic.')
param topicId string

var storageSuffix = environment().suffixes.storage

var services = [
  {
    name: 'blob'
    group: 'blob'
    resourceId: storageId
    zone: 'privatelink.blob.${storageSuffix}'
  }
  {
    name: 'queue'
    group: 'queue'
    resourceId: storageId
    zone: 'privatelink.queue.${storageSuffix}'
  }
  {
    name: 'table'
    group: 'table'
    resourceId: storageId
    zone: 'privatelink.table.${storageSuffix}'
  }
  {
    name: 'vault'
    group: 'vault'
    resourceId: vaultId
    zone: 'privatelink.vaultcore.azure.net'
  }
  {
    name: 'topic'
    group: 'topic'
    resourceId: topicId
    zone: 'privatelink.eventgrid.azure.net'
  }
]

resource address 'Microsoft.Network/publicIPAddresses@2025-05-01' = {
  name: 'pip-${name}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

resource gateway 'Microsoft.Network/natGateways@2025-05-01' = {
  name: 'ng-${name}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    idleTimeoutInMinutes: 10
    publicIpAddresses: [
      {
        id: address.id
      }
    ]
  }
}

resource firewall 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-${name}'
  location: location
  tags: tags
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: networkName
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        '10.60.0.0/22'
      ]
    }
    subnets: [
      {
        name: applicationSubnetName
        properties: {
          addressPrefix: '10.60.0.0/23'
          delegations: [
            {
              name: 'functions'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
          natGateway: {
            id: gateway.id
          }
          networkSecurityGroup: {
            id: firewall.id
          }
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: '10.60.2.0/26'
          networkSecurityGroup: {
            id: firewall.id
          }
        }
      }
    ]
  }
}

resource endpointSubnet 'Microsoft.Network/virtualNetworks/subnets@2025-05-01' existing = {
  parent: network
  name: 'endpoints'
}

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [for service in services: {
  name: service.zone
  location: 'global'
  tags: tags
}]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (service, index) in services: {
  parent: zones[index]
  name: 'link-${service.name}'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: network.id
    }
  }
}]

resource endpoints 'Microsoft.Network/privateEndpoints@2025-05-01' = [for service in services: {
  name: 'pe-${name}-${service.name}'
  location: location
  tags: tags
  properties: {
    subnet: {
      id: endpointSubnet.id
    }
    privateLinkServiceConnections: [
      {
        name: service.name
        properties: {
          privateLinkServiceId: service.resourceId
          groupIds: [
            service.group
          ]
        }
      }
    ]
  }
}]

resource zoneGroups 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = [for (service, index) in services: {
  parent: endpoints[index]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: service.name
        properties: {
          privateDnsZoneId: zones[index].id
        }
      }
    ]
  }
}]

@description('The address customers\' administrators see our connections come from.')
output outboundAddress string = address.properties.ipAddress
