package damo;

/**
 * The fixed limits of programs and tensors, all of them, as data: docs/program.md shows the table.
 * Each keeps the work or the depth of some walk bounded for programs that nobody vouches for; the
 * compiler stays inside, or says where the user's expression would not.
 */
public enum Limits {
    /** Axes of an array, so that a list that contains itself is no array. */
    RANK(32, "axes of an array"),
    /** Dimensions of a program, the counted ones among them. */
    DIMS(1024, "different symbolic dimensions"),
    /** Buffers of a program: inputs, state, outputs, constants and temporaries. */
    BUFFERS(1 << 16, "arrays in memory"),
    /** Names and numbers of one size expression. */
    PARTS(1 << 14, "parts of the expression of a size"),
    /** Loop and index variables around one statement. */
    VARIABLES(256, "loop and index variables around a statement of a kernel"),
    /** Bytes of the local arrays of one kernel: they lie on the stack. */
    LOCALS(1 << 15, "bytes of the local arrays of a kernel"),
    /** Levels of steps inside steps: each is a function that calls another. */
    LEVELS(16, "levels of steps inside steps"),
    /** How deep the forms of a program are nested in each other. */
    DEPTH(512, "forms nested in each other"),
    /** Characters of a program as text. */
    TEXT(1 << 28, "characters of a program as text"),
    /** Characters of the name of an op. */
    NAME(200, "characters of the name of an op");

    private final int most;
    private final String what;

    Limits(int most, String what) {
        this.most = most;
        this.what = what;
    }

    /** The largest number that is accepted. */
    public int most() {
        return most;
    }

    /** What is counted, in the plural. */
    public String what() {
        return what;
    }
}
