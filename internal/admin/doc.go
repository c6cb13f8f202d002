// Package admin is how a running daemon is looked at and steered: a control
// socket for the commands status, lists, limits, accounts, reload and explain, and a
// small web server for metrics, health and readiness, which has room for a page too. It decides nothing: what it
// shows and does comes from functions that whoever runs the daemon gives to it.
//
// The control protocol is HTTP over a unix socket, so that curl can speak it too:
//
//	GET  /v1/status    a Status
//	POST /v1/reload    a Reload: 200 when it was taken over, 422 with the mistakes when not
//	POST /v1/explain   {"settings": ..., "query": {"client": ..., "helo": ..., ...}}: an engine.Record;
//	                   409 when the daemon does not judge by those settings ("" takes any)
//	GET  /v1/limits    Limits
//	GET  /v1/accounts/show?account=NAME   an Account
//	GET  /v1/accounts/exceptions          all AccountExceptions
//	GET  /v1/accounts/top?n=20            a Top
//	GET  /v1/accounts/near?n=20           NearAccounts
//	GET  /v1/accounts/suspects?n=20       Suspects
//	GET  /v1/trend?span=24h               a Trend; or 1h, 7d
//	POST /v1/accounts/raise               a Grant: makes the exception; answers a Changed
//	POST /v1/accounts/unraise             a Grant: takes back those by command for its account, plan or domain
//	POST /v1/accounts/reset               a Grant: what its account has used is forgotten
//	GET  /v1/accounts/learn               a Learning
//	POST /v1/accounts/learn               a LearnAsk; answers a Learning
//	GET  /v1/accounts/blocked?ended=1     BlockedAccounts; without ended those that are blocked now
//	POST /v1/accounts/block               a BlockAsk; answers a BlockChange when it is on disk, or cannot be
//	POST /v1/accounts/release             a BlockAsk with an account alone; likewise
//
// Who may open the socket, by its mode and group, may do all of this. A failure
// is {"error": "..."} with a status of 4xx or 5xx.
package admin
