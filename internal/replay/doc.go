// Package replay walks mail that was already seen - in CSV, or in logs of Postfix
// and Sendmail - through the engine, and tells what a policy would have done to it,
// or what another one would change.
//
// It judges by what the input holds. What was not recorded is unknown, as a look-up
// that was not asked: never missing. A clock follows the times of the input, and
// drives whatever the policy remembers. Who asks DNS, if anybody may, is the engine.
package replay
