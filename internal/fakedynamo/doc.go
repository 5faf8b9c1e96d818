// Package fakedynamo speaks DynamoDB's protocol to tests: what our stores use of it, the things that emulators lack, and
// the things that go wrong.
//
// It holds tables in memory and answers CreateTable, DescribeTable, UpdateTimeToLive, DescribeTimeToLive, GetItem,
// PutItem, UpdateItem, DeleteItem and TransactWriteItems, with the old item of a refused write, tokens and cancellation
// reasons of transactions, the limits on keys and items, and consumed capacity. What it does not know it refuses, so that
// no test passes because a parameter went unheard.
//
// A client comes by HTTP, with a [Server] as the handler of an httptest.Server, or without a network, with the Server
// as the HTTPClient of an SDK's client. The second way fits the bubbles of testing/synctest, where time is not real.
package fakedynamo
