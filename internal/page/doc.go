// Package page is what a postmaster looks at in a browser: how the daemon is, what
// it refuses, whose mail meets limits. It is an http.Handler for admin.listen; the
// listener, its deadlines and the number of its connections are admin's.
//
// It reads only: of the daemon it has a Source, which has no method that changes
// anything, and it answers GET and HEAD. The one POST is that of the login form,
// and of its end.
//
// Who may read is decided here (access.go): whoever reaches a unix socket, by the
// socket's mode and group; on TCP, and wherever a token is set, whoever shows the
// token. Requests for host names that nobody has named are refused, so that a page
// of strangers that has its name lead here (DNS rebinding) reads nothing.
//
// There is no script: what is shown is made here, as HTML and SVG, and the
// Content-Security-Policy lets nothing run. Each answer is made at most once a
// second, however many ask, and answers are made one at a time, for a tenth of one
// CPU (pace.go): mail goes first.
package page
