dnl mailprofiled at Sendmail: put this into sendmail.mc before the MAILER lines (or
dnl include it there), before other INPUT_MAIL_FILTER lines, make sendmail.cf and
dnl restart. For mailprofiled:
dnl
dnl   milter.listen = ["unix:/run/mailprofiled/milter.sock"]
dnl
dnl which is its default. F= says what Sendmail does while mailprofiled is down.
dnl Empty, mail passes unjudged: right while mode is "monitor". Together with
dnl mode = "enforce" make it F=T: then senders are told to come back later.
dnl S and R, the waits for one send and one reply, must be longer than dns.budget,
dnl which is 5s unless you changed it: Sendmail's own 10s leave little room.
INPUT_MAIL_FILTER(`mailprofiled', `S=local:/run/mailprofiled/milter.sock, F=, T=C:30s;S:30s;R:30s;E:5m')dnl
