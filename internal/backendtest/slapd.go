package backendtest

import (
	"fmt"
	"os"
	"strings"
)

// What to know to ask Slapd.
const (
	Base   = "dc=example,dc=net"
	BindDN = "cn=asker," + Base
)

// Slapd is an OpenLDAP server that tells nobody but its asker.
type Slapd struct {
	*Server
	URL, LDAPI string
}

// StartSlapd starts one. more is LDIF to add.
func StartSlapd(deps, more string) (*Slapd, error) {
	s, err := newServer(deps, "slapd", false)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(s.path("db"), 0o700); err != nil {
		return nil, err
	}
	// The package has its schemas in /etc, which is not laid over.
	schema := s.root + "/etc/ldap/schema/"
	conf := "include " + schema + "core.schema\ninclude " + schema + "cosine.schema\ninclude " + schema + "inetorgperson.schema\n" +
		"modulepath /usr/lib/ldap\nmoduleload back_mdb.so\npidfile " + s.path("pid") + "\n" +
		"access to * by dn=\"" + BindDN + "\" read by anonymous auth by * none\n" +
		"database mdb\nsuffix \"" + Base + "\"\nrootdn \"cn=root," + Base + "\"\ndirectory " + s.path("db") + "\nmaxsize 268435456\nindex mail,objectClass eq\n" +
		"limits dn=\"" + BindDN + "\" size=10\n"
	ldif := "dn: " + Base + "\nobjectClass: domain\ndc: example\n\n" +
		"dn: " + BindDN + "\nobjectClass: person\ncn: asker\nsn: asker\nuserPassword: " + Password + "\n\n" +
		Person(Joe) + Person(Amy) + more
	if err := s.write("slapd.conf", conf); err != nil {
		return nil, err
	}
	if err := s.do(ldif, "/usr/sbin/slapadd", "-q", "-f", s.path("slapd.conf")); err != nil {
		return nil, err
	}
	socket := strings.ReplaceAll(s.path("ldapi"), "/", "%2F")
	s.argv = []string{"/usr/sbin/slapd", "-d", "0", "-f", s.path("slapd.conf"), "-h", "ldap://" + s.Addr() + "/ ldapi://" + socket + "/"}
	return &Slapd{s, "ldap://" + s.Addr() + "/" + Base, "ldapi://" + socket + "/" + Base}, s.Start()
}

// Person is the LDIF of a mailbox.
func Person(name string) string {
	return fmt.Sprintf("dn: uid=%s,%s\nobjectClass: inetOrgPerson\nuid: %[1]s\ncn: %[1]s\nsn: %[1]s\nmail: %[1]s@%[3]s\nemployeeType: %[4]s\ncreateTimestamp: %[5]sZ\n\n",
		name, Base, Domain, Plan, strings.ReplaceAll(Created, "-", "")+"000000")
}
