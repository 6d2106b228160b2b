"""The pricing engine: pure values and functions, without framework, clock or input/output.

Read in this order: `money` (amounts and the one rounding rule), `terms` (what a tariff says),
`usage` (what a session used), `live` (cost as a session grows), `pricing` (cost of a finished one),
`limit` (when a hold will be reached).
"""
