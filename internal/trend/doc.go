// Package trend remembers how often things happened, by time: the verdicts and
// findings of the last hour, day and week, at a bounded size. It is given counters
// that only grow, now and then, and notes by how much they have grown: on the way
// to a verdict nothing is done for it.
//
// Three rings of buckets hold the last hour by the minute, the last day by the
// quarter of an hour, and the last week by two hours. A bucket counts at most
// MaxNames things; what is beyond them is counted as Other. It has no clock.
package trend
