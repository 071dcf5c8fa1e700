/**
 * Tensors: dense row-major arrays outside the Java heap.
 *
 * <p>Memory: a tensor that owns its memory gets it 64-byte aligned from the C library and gives it
 * back at {@code close()} or when the garbage collector finds it unreachable, whichever comes
 * first. Views share the memory of their owner and keep it reachable; closing the owner ends its
 * views, closing a view ends only that view. Memory in use by a running call is pinned: it is freed
 * after the last pin is gone, so that closing a tensor on one thread while another uses it gives an
 * exception or a finished call, never a crash. All bytes are counted, and a request over the limit
 * is refused (see {@link damo.tensor.Memory}).
 *
 * <p>Threads: a tensor's identity, dtype and shape are immutable and may be read from any thread.
 * Its elements are plain memory: whoever writes them while others read must synchronise. {@code
 * close()} may be called from any thread, any number of times.
 */
package damo.tensor;
