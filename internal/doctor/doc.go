// Package doctor finds what goes wrong in the field between an MTA, the daemon, DNS
// and the machine, and changes nothing. Each thing that it looks at is a Finding with
// a stable id, and with the lines that mend it where something is wrong.
//
// What can be asked is asked for real: a socket is connected to as the MTA's user
// inside its chroot, a resolver is asked over UDP and TCP, a client is shown to the
// daemon. What could not be seen is said, and is no fault.
package doctor
