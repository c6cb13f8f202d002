// Package admin is how a running daemon is looked at and steered: a control
// socket for the commands status, reload and explain, and a small web server for
// metrics, health and readiness. It decides nothing: what it shows comes from a
// Status, what it does from three functions, both given by whoever runs the daemon.
//
// The control protocol is HTTP over a unix socket, so that curl can speak it too:
//
//	GET  /v1/status    a Status
//	POST /v1/reload    a Reload: 200 when it was taken over, 422 with the mistakes when not
//	POST /v1/explain   {"settings": ..., "query": {"client": ..., "helo": ..., ...}}: an engine.Record;
//	                   409 when the daemon does not judge by those settings ("" takes any)
//
// Who may open the socket, by its mode and group, may do all of this. A failure
// is {"error": "..."} with a status of 4xx or 5xx.
package admin
