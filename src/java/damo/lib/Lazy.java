package damo.lib;

import java.util.function.Supplier;

/**
 * A value that is made when first asked for, once in the process. Unlike a static field's
 * initialiser, a failure reaches each caller as the exception that it is, and the next call tries
 * again.
 */
public final class Lazy<T> implements Supplier<T> {
    private final Supplier<T> maker;
    private volatile T value;

    /** A value to be made by {@code maker}, which must not return null. */
    public Lazy(Supplier<T> maker) {
        this.maker = maker;
    }

    /** Whether the value is there already. */
    public boolean made() {
        return value != null;
    }

    /** The value; throws what the maker throws. Others wait while one thread makes it. */
    @Override
    public T get() {
        T known = value;
        if (known == null) {
            synchronized (this) {
                known = value;
                if (known == null) {
                    known = maker.get();
                    value = known;
                }
            }
        }
        return known;
    }
}
