package damo.program;

import java.util.List;

/**
 * What stands for a buffer in a step: all of it, or so many of its elements from an offset on.
 *
 * @param buffer the buffer
 * @param offset where it begins, in elements
 * @param size   how many elements it has; null for all of the buffer
 */
public record Window(int buffer, Size offset, Size size) {
    /** All of a buffer. */
    public static Window of(int buffer) {
        return new Window(buffer, new Size.Int(0), null);
    }

    /** Whether it is all of the buffer. */
    public boolean whole() {
        return size == null;
    }

    /** The sizes in it. */
    public List<Size> sizes() {
        return whole() ? List.of() : List.of(offset, size);
    }

    /** The use of it. */
    Access access(String what, Access.Mode mode) {
        return new Access(what, buffer, mode, whole() ? null
                : new Access.Region(offset, List.of(new Access.Axis(size, new Size.Int(1)))));
    }
}
