package local

// grids find the few of many numbers in order that are near another one. The
// whole range of the numbers is cut into buckets of the same width; those that
// hold many numbers, as addresses lie in heaps, are cut again.
type grids struct {
	top  grid
	deep []grid
	// cells of all grids: the first number in a bucket or behind it. A bucket
	// that is cut again has the index of its grid, with isDeep.
	cells []uint32
}

// A grid is a range in buckets.
type grid struct {
	base  uint64
	start uint32 // the first number of it
	cells uint32 // its first cell
	last  uint32 // its last bucket; one more cell ends it
	shift uint8
}

const (
	isDeep     = 1 << 31
	gridFrom   = 64      // fewer numbers need none
	gridBucket = 4       // numbers in a bucket, when they are spread evenly
	gridMost   = 1 << 18 // buckets of a grid
	gridFull   = 32      // more numbers in a bucket, and it is cut again
)

// newGrids takes count numbers in order.
func newGrids(count int, at func(int) uint64) grids {
	var g grids
	if count < gridFrom {
		return g
	}
	g.top = g.cut(0, count, at)
	for b := g.top.cells; b < g.top.cells+g.top.last+1; b++ {
		from, to := g.cells[b], g.cells[b+1]
		if from < to && to-from > gridFull && at(int(from)) != at(int(to-1)) {
			g.cells[b] = uint32(len(g.deep)) | isDeep
			g.deep = append(g.deep, g.cut(int(from), int(to), at))
		}
	}
	g.cells, g.deep = tight(g.cells), tight(g.deep)
	return g
}

// cut makes a grid of the numbers from one to before another.
func (g *grids) cut(from, to int, at func(int) uint64) grid {
	this := grid{base: at(from), start: uint32(from), cells: uint32(len(g.cells))}
	width := at(to-1) - this.base
	for width>>this.shift >= uint64(min((to-from)/gridBucket, gridMost)) {
		this.shift++
	}
	this.last = uint32(width >> this.shift)
	bucket := uint32(0)
	for i := from; i < to; i++ {
		for b := uint32((at(i) - this.base) >> this.shift); bucket <= b; bucket++ {
			g.cells = append(g.cells, uint32(i))
		}
	}
	g.cells = append(g.cells, uint32(to))
	return this
}

// around gives bounds: the numbers before from are at most n, and those from to
// on are larger than n, or n lies in the bucket of both.
func (g *grids) around(n uint64, count int) (from, to int) {
	if g.cells == nil {
		return 0, count
	}
	this := &g.top
	if n < this.base {
		return 0, 0
	}
	cell := this.cell(n)
	if at := g.cells[cell]; at&isDeep != 0 {
		if this = &g.deep[at&^isDeep]; n < this.base {
			return int(this.start), int(this.start)
		}
		cell = this.cell(n)
		return int(g.cells[cell]), int(g.cells[cell+1])
	}
	return int(g.cells[cell]), g.begin(cell + 1)
}

func (g *grid) cell(n uint64) uint32 {
	return g.cells + uint32(min((n-g.base)>>g.shift, uint64(g.last)))
}

// begin gives the first number of a bucket of the top grid.
func (g *grids) begin(cell uint32) int {
	at := g.cells[cell]
	if at&isDeep != 0 {
		return int(g.deep[at&^isDeep].start)
	}
	return int(at)
}
