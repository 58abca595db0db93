metadata description = 'What the installation may cost in a month, and who hears of it.'

@description('Name of the budget.')
param name string

@description('Amount a month, in the billing currency of the subscription.')
param amount int

@description('First day of the month in which the budget was first deployed, as yyyy-MM-dd. It cannot be changed afterwards.')
param startDate string

@description('Who is told: e-mail addresses.')
param alertEmails array

resource budget 'Microsoft.Consumption/budgets@2024-08-01' = {
  name: name
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: {
      startDate: startDate
    }
    notifications: {
      spent80: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: alertEmails
      }
      expected100: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: alertEmails
      }
    }
  }
}
