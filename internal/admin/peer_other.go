//go:build !linux

package admin

import "net"

// peer names who is at the other end of a connection; here that is not known.
func peer(net.Conn) string { return "" }
