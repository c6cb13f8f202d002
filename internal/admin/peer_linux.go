package admin

import (
	"net"
	"strconv"
	"syscall"
)

// peer names who is at the other end of a connection, for the log: "uid 1000"; "" for
// not known.
func peer(c net.Conn) string {
	if p, ok := c.(*placed); ok {
		c = p.Conn
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ""
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return ""
	}
	who := ""
	err = raw.Control(func(fd uintptr) {
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			who = "uid " + strconv.FormatUint(uint64(cred.Uid), 10)
		}
	})
	if err != nil {
		return ""
	}
	return who
}
