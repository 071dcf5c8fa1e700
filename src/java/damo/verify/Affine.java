package damo.verify;

import java.util.Arrays;

/**
 * A set of integers: some number of {@code lo … hi} plus {@code coefs[k]} times variable {@code
 * ids[k]}, ids rising. Immutable. {@code size} bounds the absolute value of every step of the
 * evaluation, so that native code, which computes in 64 bits, meets no overflow. Arithmetic is
 * exact: what does not fit throws ArithmeticException.
 */
record Affine(long lo, long hi, int[] ids, long[] coefs, long size) {
    private static final int[] NO_IDS = {};
    private static final long[] NO_COEFS = {};

    /** One number. */
    static Affine of(long value) {
        return interval(value, value, Math.absExact(value));
    }

    /** Some number of lo … hi. */
    static Affine interval(long lo, long hi, long size) {
        return new Affine(lo, hi, NO_IDS, NO_COEFS, size);
    }

    /** The larger absolute value of two. */
    static long largest(long x, long y) {
        return Math.max(Math.absExact(x), Math.absExact(y));
    }

    /** A variable whose absolute value is at most {@code size}. */
    static Affine variable(int id, long size) {
        return new Affine(0, 0, new int[] {id}, new long[] {1}, size);
    }

    /** Whether no variable occurs. */
    boolean flat() {
        return ids.length == 0;
    }

    /** Whether it is one number, {@code lo}. */
    boolean constant() {
        return flat() && lo == hi;
    }

    Affine plus(Affine y) {
        return combine(y, 1, Math.addExact(lo, y.lo), Math.addExact(hi, y.hi));
    }

    Affine minus(Affine y) {
        return combine(y, -1, Math.subtractExact(lo, y.hi), Math.subtractExact(hi, y.lo));
    }

    private Affine combine(Affine y, long sign, long newLo, long newHi) {
        if (flat() && y.flat()) {
            return interval(newLo, newHi, Math.max(Math.max(size, y.size), largest(newLo, newHi)));
        }
        long newSize = Math.addExact(size, y.size);
        if (y.flat()) {
            return new Affine(newLo, newHi, ids, coefs, newSize);
        }
        int n = ids.length;
        int m = y.ids.length;
        int[] outIds = new int[n + m];
        long[] out = new long[n + m];
        int k = 0;
        for (int i = 0, j = 0; i < n || j < m;) {
            boolean left = i < n && (j == m || ids[i] <= y.ids[j]);
            boolean right = j < m && (i == n || y.ids[j] <= ids[i]);
            outIds[k] = left ? ids[i] : y.ids[j];
            long c = left ? coefs[i++] : 0;
            c = right ? Math.addExact(c, Math.multiplyExact(sign, y.coefs[j++])) : c;
            if (c != 0) {
                out[k++] = c;
            }
        }
        return trimmed(newLo, newHi, outIds, out, k, newSize);
    }

    private static Affine trimmed(long lo, long hi, int[] ids, long[] coefs, int n, long size) {
        if (n == ids.length) {
            return new Affine(lo, hi, ids, coefs, size);
        }
        return new Affine(lo, hi, Arrays.copyOf(ids, n), Arrays.copyOf(coefs, n), size);
    }

    /** The product with a number. */
    Affine times(long c) {
        if (c == 0) {
            return of(0);
        }
        long x = Math.multiplyExact(lo, c);
        long y = Math.multiplyExact(hi, c);
        if (flat()) {
            return interval(Math.min(x, y), Math.max(x, y), Math.max(size, largest(x, y)));
        }
        long[] scaled = new long[coefs.length];
        for (int k = 0; k < scaled.length; k++) {
            scaled[k] = Math.multiplyExact(coefs[k], c);
        }
        return new Affine(Math.min(x, y), Math.max(x, y), ids, scaled,
                Math.multiplyExact(size, Math.absExact(c)));
    }

    /**
     * The quotient by a positive number that divides every part, or null when one leaves a
     * remainder.
     */
    Affine dividedBy(long d) {
        if (lo != hi || lo % d != 0) {
            return null;
        }
        long[] out = new long[coefs.length];
        for (int k = 0; k < out.length; k++) {
            if (coefs[k] % d != 0) {
                return null;
            }
            out[k] = coefs[k] / d;
        }
        return new Affine(lo / d, lo / d, ids, out, size);
    }

    /** This without its last variable. */
    Affine withoutLast() {
        int n = ids.length - 1;
        return trimmed(lo, hi, ids, coefs, n, size);
    }
}
