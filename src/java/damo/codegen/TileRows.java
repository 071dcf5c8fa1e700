package damo.codegen;

/** Rows shared out among tiles: as few as there can be, whose heights differ by no more than 1. */
final class TileRows {
    private final Whole w;
    private final String tiles;
    private final String height;
    private final String more;

    /** Appends what shares out so many rows, of which a tile takes {@code most}. */
    TileRows(Whole w, String rows, int most) {
        this.w = w;
        this.tiles = w.parts(rows, most);
        this.height = w.over(rows, tiles);
        this.more = w.rest(rows, tiles);
    }

    /** How many tiles there are. */
    String tiles() {
        return tiles;
    }

    /** The first row of a tile. */
    String start(String tile) {
        return w.plus(w.times(tile, height), w.least(tile, more));
    }

    /** The rows of a tile. */
    String height(String tile) {
        return w.plus(height, w.count(w.is("slt", tile, more)));
    }
}
