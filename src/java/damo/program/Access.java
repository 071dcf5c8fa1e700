package damo.program;

import java.util.List;

/**
 * One use that a step makes of a buffer.
 *
 * @param what   how messages call it: {@code "operand :a"}
 * @param buffer the buffer
 * @param mode   whether it is read, written, or both
 * @param region the elements that are touched; null where the analysis of a kernel tells
 */
public record Access(String what, int buffer, Mode mode, Region region) {
    /** What is done with a buffer. */
    public enum Mode {
        /** Reads what is there. */
        READ("reads"),
        /** Writes, and reads nothing. */
        WRITE("writes"),
        /** Reads what is there, and writes. */
        UPDATE("updates"),
        /** Writes, and reads perhaps, before or after: as an {@code :inout} of a kernel. */
        MIXED("writes and reads");

        private final String verb;

        Mode(String verb) {
            this.verb = verb;
        }

        /** What it does, for people. */
        public String verb() {
            return verb;
        }

        /** Whether an earlier step must have written the buffer. */
        public boolean needs() {
            return this == READ || this == UPDATE;
        }

        /** Whether the buffer is written. */
        public boolean writes() {
            return this != READ;
        }
    }

    /** The elements offset + Σ i·stride, for each i in 0 … extent-1 of each axis. */
    public record Region(Size offset, List<Axis> axes) {
        /** The first element. */
        public static final Region ELEMENT = new Region(new Size.Int(0), List.of());

        /** As many elements as an array of that shape has, from an offset on. */
        public static Region dense(Size offset, List<Size> shape) {
            return new Region(offset, shape.stream()
                    .reduce((x, y) -> new Size.Call(Size.Op.MUL, x, y))
                    .map(all -> List.of(new Axis(all, new Size.Int(1)))).orElse(List.of()));
        }
    }

    /** A loop around an element; the stride counts elements. */
    public record Axis(Size extent, Size stride) { }

    /** Whether it is of all the buffer, or of a part that stands for it: where it begins. */
    public boolean leading() {
        return region == null || region.offset().equals(new Size.Int(0));
    }

    /** How messages begin: {@code "operand :a, buffer 3,"}. */
    public String title() {
        return what + ", buffer " + buffer + ",";
    }
}
