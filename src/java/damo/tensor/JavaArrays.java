package damo.tensor;

import damo.DamoException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;

/** Java's one-dimensional primitive arrays: their dtypes, and copies in and out. */
final class JavaArrays {
    private JavaArrays() { }

    /** The dtype of that array's elements; null when it is no array of a known primitive. */
    static DType dtypeOf(Object array) {
        return switch (array) {
            case double[] a -> DType.F64;
            case float[] a -> DType.F32;
            case long[] a -> DType.I64;
            case int[] a -> DType.I32;
            case short[] a -> DType.I16;
            case byte[] a -> DType.I8;
            case boolean[] a -> DType.BOOL;
            case null, default -> null;
        };
    }

    /** Its length; -1 when it is no array of a known primitive. */
    static int length(Object array) {
        return switch (array) {
            case double[] a -> a.length;
            case float[] a -> a.length;
            case long[] a -> a.length;
            case int[] a -> a.length;
            case short[] a -> a.length;
            case byte[] a -> a.length;
            case boolean[] a -> a.length;
            case null, default -> -1;
        };
    }

    /**
     * Copies the whole array to the elements from {@code at} on, lossless or with rounding.
     *
     * @throws DamoException "dtype-mismatch" when a value does not fit
     */
    static void copyIn(Object array, MemorySegment to, DType dtype, long at, boolean downcast) {
        DType source = dtypeOf(array);
        int n = length(array);
        MemorySegment target = to.asSlice(at * dtype.bytes(), (long) n * dtype.bytes());
        switch (array) {
            case boolean[] a -> {
                for (int i = 0; i < n; i++) {
                    Elements.putBoolean(target, dtype, i, a[i]);
                }
            }
            default -> Conversions.copy(heap(array), source, target, dtype, n, downcast);
        }
    }

    /**
     * The elements as a new array: double[], float[] (also of f16 and bf16), long[], int[] (of i32
     * and of u8, whose values a byte cannot show), short[], byte[] or boolean[].
     */
    static Object copyOut(MemorySegment from, DType dtype, long elements) {
        if (elements > Integer.MAX_VALUE - 8) {
            throw new DamoException("size-overflow", "a Java array holds at most "
                    + (Integer.MAX_VALUE - 8)
                    + " elements, the tensor has " + elements + "; take slices", Map.of("elements",
                            elements));
        }
        int n = (int) elements;
        return switch (dtype) {
            case F64 -> from.toArray(ValueLayout.JAVA_DOUBLE_UNALIGNED);
            case F32 -> from.toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
            case I64 -> from.toArray(ValueLayout.JAVA_LONG_UNALIGNED);
            case I32 -> from.toArray(ValueLayout.JAVA_INT_UNALIGNED);
            case I16 -> from.toArray(ValueLayout.JAVA_SHORT_UNALIGNED);
            case I8 -> from.toArray(ValueLayout.JAVA_BYTE);
            case F16, BF16 -> {
                float[] a = new float[n];
                for (int i = 0; i < n; i++) {
                    a[i] = (float) Elements.getDouble(from, dtype, i);
                }
                yield a;
            }
            case U8 -> {
                int[] a = new int[n];
                for (int i = 0; i < n; i++) {
                    a[i] = (int) Elements.getLong(from, dtype, i);
                }
                yield a;
            }
            case BOOL -> {
                boolean[] a = new boolean[n];
                for (int i = 0; i < n; i++) {
                    a[i] = Elements.getLong(from, dtype, i) != 0;
                }
                yield a;
            }
        };
    }

    private static MemorySegment heap(Object array) {
        return switch (array) {
            case double[] a -> MemorySegment.ofArray(a);
            case float[] a -> MemorySegment.ofArray(a);
            case long[] a -> MemorySegment.ofArray(a);
            case int[] a -> MemorySegment.ofArray(a);
            case short[] a -> MemorySegment.ofArray(a);
            case byte[] a -> MemorySegment.ofArray(a);
            default -> throw new IllegalArgumentException("no primitive array: "
                    + array.getClass());
        };
    }
}
