dnl mailprofiled at Sendmail: put this into sendmail.mc before the MAILER lines (or
dnl include it there), make sendmail.cf and restart. For mailprofiled:
dnl
dnl   milter.listen = ["unix:/run/mailprofiled/milter.sock"]
dnl
dnl F=T: while mailprofiled is down senders are told to come back; F= (empty) lets
dnl mail pass unjudged, right while mode is "monitor". S and R, the waits for one
dnl send and one reply, must be longer than dns.budget, which is 5s unless you
dnl changed it: Sendmail's own 10s leave little room.
INPUT_MAIL_FILTER(`mailprofiled', `S=local:/run/mailprofiled/milter.sock, F=T, T=C:30s;S:30s;R:30s;E:5m')dnl
