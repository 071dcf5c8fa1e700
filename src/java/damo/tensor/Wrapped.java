package damo.tensor;

import damo.DamoException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;

/** What memory made by others must be like to become a tensor without a copy. */
final class Wrapped {
    private Wrapped() { }

    /**
     * Refuses segments on the Java heap, whose address moves; mapped files, which another process
     * may cut short under a running call; and wrong lengths.
     */
    static void check(MemorySegment segment, DType dtype, long[] shape, long bytes) {
        if (!segment.isNative() || segment.isMapped()) {
            throw new DamoException("bad-data",
                    "expected a native segment that is no mapped file, got one "
                    + (segment.isNative() ? "of a mapped file" : "on the Java heap")
                    + "; copy it with Tensor.of");
        }
        if (segment.byteSize() != bytes) {
            throw new DamoException("shape-mismatch",
                    "a tensor [:" + dtype.label() + " " + Shapes.format(shape) + "] takes " + bytes
                    + " bytes, got a segment of " + segment.byteSize(),
                    Map.of("expected", bytes, "given", segment.byteSize()));
        }
    }

    /** Refuses memory whose arena was closed, or is confined to another thread. */
    static void checkOpen(MemorySegment segment) {
        if (!segment.scope().isAlive()) {
            throw new DamoException("closed",
                    "the arena that lends this tensor its memory was closed");
        }
        if (!segment.isAccessibleBy(Thread.currentThread())) {
            throw new DamoException("closed", "the arena that lends this tensor its memory is "
                    + "confined to another thread; take a shared arena");
        }
    }

    /** The memory of a buffer; refuses one whose elements are in the other byte order. */
    static MemorySegment segment(ByteBuffer buffer, DType dtype) {
        if (dtype.bytes() > 1 && buffer.order() != ByteOrder.nativeOrder()) {
            throw new DamoException("bad-data",
                    "expected a buffer in the byte order of this machine, "
                    + ByteOrder.nativeOrder() + ", got " + buffer.order()
                    + "; call order(ByteOrder.nativeOrder()) before filling it");
        }
        return MemorySegment.ofBuffer(buffer);
    }
}
