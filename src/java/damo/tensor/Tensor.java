package damo.tensor;

import damo.DamoException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.AbstractList;
import java.util.Arrays;
import java.util.RandomAccess;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * A dense row-major array outside the Java heap: a dtype, a shape, and memory of its own or shared
 * with the tensor it is a view of.
 *
 * <p>As a list it runs over the first axis: numbers of a 1-d tensor, views of others. As a future
 * it is done, and its value is a number (Double, Long or Boolean) or nested lists of them, so that
 * {@code @t} works in Clojure. Freed by {@link #close} or when unreachable; any use after close is
 * an exception of kind "closed". Example:
 * <pre>{@code
 * try (Tensor t = Tensor.of(new double[][] {{1, 2}, {3, 4}})) {
 *     t.get(); // [[1.0 2.0] [3.0 4.0]]
 * }
 * }</pre>
 */
public final class Tensor extends AbstractList<Object>
        implements RandomAccess, Future<Object>, AutoCloseable {
    private final Memory memory;
    private final long address;
    private final DType dtype;
    private final long[] shape;
    private final long elements;
    private final boolean owner;
    private volatile boolean ended;

    Tensor(Memory memory, long address, DType dtype, long[] shape, boolean owner) {
        this.memory = memory;
        this.address = address;
        this.dtype = dtype;
        this.shape = shape;
        this.elements = Shapes.elements(shape);
        this.owner = owner;
    }

    /**
     * A new tensor whose elements are whatever the memory held: write every one of them. Throws
     * "size-overflow" or "out-of-memory" naming the size, "shape-mismatch" for a bad shape.
     */
    public static Tensor uninitialized(DType dtype, long... shape) {
        Memory memory = Memory.allocate(Shapes.bytes(Shapes.elements(shape), dtype, shape));
        return new Tensor(memory, memory.address, dtype, shape.clone(), true);
    }

    /** A new tensor of zeros (false for bool). Throws as {@link #uninitialized}. */
    public static Tensor zeros(DType dtype, long... shape) {
        Tensor t = uninitialized(dtype, shape);
        t.with(data -> data.fill((byte) 0));
        return t;
    }

    /** A new tensor with that number or boolean everywhere. */
    public static Tensor full(Object value, DType dtype, long... shape) {
        return Filled.full(value, dtype, shape);
    }

    /** The 1-d numbers start, start + step, … before stop. A step of 0 or NaN is refused. */
    public static Tensor arange(double start, double stop, double step, DType dtype) {
        return Filled.arange(start, stop, step, dtype);
    }

    /** A new rows x columns matrix with ones on the diagonal. Throws as {@link #uninitialized}. */
    public static Tensor eye(long rows, long columns, DType dtype) {
        return Filled.eye(rows, columns, dtype);
    }

    /** A new tensor of nested data, with the dtype that the data shows; see below. */
    public static Tensor of(Object data) {
        return Nested.read(data, null, false);
    }

    /** The same with that dtype, rounding no array or tensor. */
    public static Tensor of(Object data, DType dtype) {
        return Nested.read(data, dtype, false);
    }

    /**
     * A new tensor of nested data: numbers and booleans in lists, object arrays, primitive arrays,
     * tensors. Boxed numbers are rounded to a float dtype; arrays and tensors of wider floats only
     * with {@code downcast}. Throws "ragged", "bad-data" or "dtype-mismatch" with the position.
     */
    public static Tensor of(Object data, DType dtype, boolean downcast) {
        return Nested.read(data, dtype, downcast);
    }

    /**
     * A tensor over that native segment, without a copy; the segment's arena must stay open while
     * it is used. Throws "bad-data" for a heap or mapped segment, "shape-mismatch" for one of the
     * wrong length.
     */
    public static Tensor wrap(MemorySegment segment, DType dtype, long... shape) {
        Wrapped.check(segment, dtype, shape, Shapes.bytes(Shapes.elements(shape), dtype, shape));
        Memory lent = Memory.lent(segment);
        return new Tensor(lent, lent.address, dtype, shape.clone(), true);
    }

    /** The same over a direct buffer, position to limit, in the byte order of the machine. */
    public static Tensor wrap(ByteBuffer buffer, DType dtype, long... shape) {
        return wrap(Wrapped.segment(buffer, dtype), dtype, shape);
    }

    /** The dtype of the elements. */
    public DType dtype() {
        return dtype;
    }

    /** A copy of the shape. */
    public long[] shape() {
        return shape.clone();
    }

    /** Whether this is the shape; makes no copy. */
    public boolean hasShape(long[] other) {
        return shape == other || Arrays.equals(shape, other);
    }

    /** The number of axes. */
    public int rank() {
        return shape.length;
    }

    /** The number of elements. */
    public long elements() {
        return elements;
    }

    /** The size of the elements in bytes. */
    public long byteSize() {
        return elements * dtype.bytes();
    }

    /** Whether {@link #close} ended this tensor, or ended the owner of its memory. */
    public boolean isClosed() {
        return ended || memory.isClosed();
    }

    /** Bytes that tensors hold outside the Java heap at this moment, in the whole process. */
    public static long outstandingBytes() {
        return Budget.outstanding();
    }

    /** Rows from … to - 1 of the first axis, a view. Throws "index-out-of-bounds". */
    public Tensor slice(long from, long to) {
        Shapes.checkRange(from, to, extent());
        long[] sliced = shape.clone();
        sliced[0] = to - from;
        return view(from * rowBytes(), dtype, sliced);
    }

    /** A view with another shape. Throws "shape-mismatch" unless the counts agree. */
    public Tensor reshape(long... to) {
        if (Shapes.elements(to) != elements) {
            throw Shapes.mismatch(shape, to);
        }
        return view(0, dtype, to.clone());
    }

    /**
     * The bytes from {@code at} on as a tensor; shares the memory. Throws "index-out-of-bounds".
     */
    public Tensor reinterpret(long at, DType as, long... to) {
        long bytes = Shapes.bytes(Shapes.elements(to), as, to);
        Shapes.checkRange(at, at + bytes, byteSize());
        return view(at, as, to.clone());
    }

    /** A number of a 1-d tensor, else a view. Throws "index-out-of-bounds". */
    @Override
    public Object get(int index) {
        Shapes.checkIndex(index, extent());
        if (shape.length > 1) {
            return view(index * rowBytes(), dtype, Shapes.rest(shape));
        }
        return with(data -> Elements.get(data, dtype, index));
    }

    /** The length of the first axis. Throws "shape-mismatch" for a 0-d tensor. */
    @Override
    public int size() {
        return (int) Math.min(Integer.MAX_VALUE, extent());
    }

    private long extent() {
        if (shape.length == 0) {
            throw new DamoException("shape-mismatch",
                    "a 0-d tensor has no first axis to walk; take its number with get()");
        }
        return shape[0];
    }

    private long rowBytes() {
        return shape[0] == 0 ? 0 : byteSize() / shape[0];
    }

    private Tensor view(long offset, DType as, long[] viewed) {
        if (isClosed()) {
            throw Memory.closed();
        }
        return new Tensor(memory, address + offset, as, KnownShapes.of(viewed), false);
    }

    /** This tensor, or a converted copy. Throws "dtype-mismatch" when not lossless. */
    public Tensor convert(DType to, boolean downcast) {
        return to == dtype ? this : copy(to, downcast);
    }

    /** A copy with memory of its own. */
    public Tensor copy() {
        return copy(dtype, false);
    }

    private Tensor copy(DType to, boolean downcast) {
        Conversions.require(dtype, to, downcast);
        Tensor result = uninitialized(to, shape);
        try {
            result.copyFrom(this, downcast);
        } catch (Throwable e) {
            result.close();
            throw e;
        }
        return result;
    }

    /**
     * Overwrites the elements with those of a tensor of this shape, converted as {@link #convert}.
     * Throws "shape-mismatch", or "dtype-mismatch" when some may have been written already.
     */
    public void copyFrom(Tensor source, boolean downcast) {
        if (!hasShape(source.shape)) {
            throw Shapes.mismatch(shape, source.shape);
        }
        with(to -> source.with(from -> {
            Conversions.copy(from, source.dtype, to, dtype, elements, downcast);
            return null;
        }));
    }

    /** A flat double[], float[] (f32, f16, bf16), long[], int[] (i32, u8), short[], byte[] (i8) or
     * boolean[]. The bits of f16 and bf16: {@code t.reinterpret(0, DType.I16, t.shape())}. */
    public Object toJavaArray() {
        return with(data -> JavaArrays.copyOut(data, dtype, elements));
    }

    /** The number of a 0-d tensor as a double, true as 1. Throws "shape-mismatch" otherwise. */
    public double doubleValue() {
        requireScalar();
        return with(data -> Elements.getDouble(data, dtype, 0));
    }

    /** The integer of a 0-d tensor, true as 1. Throws "shape-mismatch", "dtype-mismatch". */
    public long longValue() {
        requireScalar();
        if (dtype.floating()) {
            throw Conversions.mismatch(dtype, DType.I64,
                    "a float is never made an integer; use doubleValue", null);
        }
        return with(data -> Elements.getLong(data, dtype, 0));
    }

    private <R> R with(Function<MemorySegment, R> use) {
        MemorySegment data = pin();
        try {
            return use.apply(data);
        } finally {
            unpin();
        }
    }

    private void requireScalar() {
        if (shape.length != 0) {
            throw Shapes.mismatch(new long[0], shape);
        }
    }

    /**
     * The memory as a segment, without a copy. It stays valid as long as it is reachable: closing
     * the tensor meanwhile frees the memory only after the segment is gone. Of a wrapped tensor,
     * its own segment.
     */
    @SuppressWarnings("restricted")
    public MemorySegment segment() {
        MemorySegment data = pin();
        if (memory.lender != null) {
            unpin();
            return data;
        }
        Memory held = memory;
        return MemorySegment.ofAddress(address).reinterpret(byteSize(), Arena.ofAuto(),
                s -> held.unpin());
    }

    /** Keeps the memory until {@link #unpin}, once for each pin. Throws "closed". */
    public MemorySegment pin() {
        pinAddress();
        MemorySegment all = memory.segment();
        return address == memory.address && byteSize() == memory.bytes
                ? all : all.asSlice(address - memory.address, byteSize());
    }

    /** The same, giving the address of element 0; {@link #lender} is not kept. */
    public long pinAddress() {
        if (ended) {
            throw Memory.closed();
        }
        memory.pin();
        return address;
    }

    /** The same without keeping the memory, for who knows that nobody closes it meanwhile. */
    public long address() {
        if (isClosed()) {
            throw Memory.closed();
        }
        return address;
    }

    /** Ends one {@link #pin} or {@link #pinAddress}. */
    public void unpin() {
        memory.unpin();
    }

    /** The segment that lends the memory, to be passed to a native call; else null. */
    public MemorySegment lender() {
        return memory.lender;
    }

    /** The value: a Double, Long, Boolean, or nested lists (vectors when Clojure is there). */
    @Override
    public Object get() {
        return with(data -> Elements.nested(data, dtype, shape));
    }

    /** The same; never waits. */
    @Override
    public Object get(long time, TimeUnit unit) {
        return get();
    }

    /** True: the elements are there. */
    @Override
    public boolean isDone() {
        return true;
    }

    /** False: there is nothing to cancel. */
    @Override
    public boolean cancel(boolean interrupt) {
        return false;
    }

    /** False. */
    @Override
    public boolean isCancelled() {
        return false;
    }

    /** Frees the memory, after any call that uses it, or ends a view. Twice does nothing. */
    @Override
    public void close() {
        ended = true;
        if (owner) {
            memory.close();
        }
    }

    /** Identity: elements change in place, which values in a hash table must not. */
    @Override
    public boolean equals(Object other) {
        return this == other;
    }

    /** The identity's hash. */
    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }

    /** {@code #damo/tensor [:f32 [2]] [1.0 2.0]}: dtype, shape, the corner of the values. */
    @Override
    public String toString() {
        try {
            return with(data -> Printing.format(dtype, shape, data));
        } catch (DamoException | IllegalStateException e) {
            // Closed, or lent by an arena that another thread closes at this moment.
            return Printing.format(dtype, shape, null);
        }
    }
}
