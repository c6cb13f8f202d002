// Package act is what a postmaster can do at the page: raise a limit, release an
// account, allow a server for a time, forget it, report it. It is there only where
// admin.actions is true.
//
// The page reads by a Source that changes nothing, and cannot reach what is here: a
// room of a lower floor does not know those above it. It decides who may read, as
// ever, and hands over what is asked at Prefix and APIPrefix, as a plain
// http.Handler, when the token of the whole page was shown; a token of one domain,
// or a socket without a token, opens nothing here.
//
// A browser shows its cookie, and a web server before us may show the token for
// everybody, so a request must also come from here: one that another site caused is
// refused by its Sec-Fetch-Site or Origin header, a form must have the mark that
// stood in it (a MAC by the token, of its time and the reader's cookie), and a
// program must send JSON, which no form of another site can.
//
// Each action is one line of the log, with who asked and how it ended; whom it
// was about stands there too, but for accounts, of which the action's own line
// tells, hashed where addresses are.
package act
