// Package house holds the tests of the house rules: the arrows between the
// rooms, the few dependencies, the size of files, and that what the documents
// show is true.
package house
