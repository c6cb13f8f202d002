// Package e2e holds the end-to-end tests: the daemon as it is shipped, behind a
// real Postfix and a real Sendmail, with a DNS world of its own. They are behind
// the build tag e2e and need the namespaces that e2e/run makes for them.
package e2e
