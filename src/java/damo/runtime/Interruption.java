package damo.runtime;

import damo.DamoException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.spi.AbstractInterruptibleChannel;
import java.util.Map;

/**
 * What makes {@link Thread#interrupt} reach native code: while a thread is between {@link #enter}
 * and {@link #leave}, an interrupt sets the word that the code looks at. Java offers one way to
 * learn of an interrupt where it happens: to be a channel, which an interrupt closes.
 */
final class Interruption {
    private final MemorySegment word;
    private Watch watch;

    /** One that sets that word of 64 bits. */
    Interruption(MemorySegment word) {
        this.word = word;
    }

    /** Serves until an interrupt has come. */
    private static final class Watch extends AbstractInterruptibleChannel {
        private final MemorySegment word;

        Watch(MemorySegment word) {
            this.word = word;
        }

        void enter() {
            begin();
        }

        void leave() {
            try {
                end(true);
            } catch (AsynchronousCloseException e) {
                // The interrupt came too late for the call, which is done.
                return;
            }
        }

        @Override
        protected void implCloseChannel() {
            word.set(ValueLayout.JAVA_LONG, 0, 1);
        }
    }

    /** The calling thread goes into native code. */
    void enter() {
        if (watch == null) {
            watch = new Watch(word);
        }
        watch.enter();
    }

    /** It came back. */
    void leave() {
        watch.leave();
        if (!watch.isOpen()) {
            watch = null;
            word.set(ValueLayout.JAVA_LONG, 0, 0);
        }
    }

    /** Throws the exception of kind "interrupted" when the thread is; it stays interrupted. */
    static void check(String function) {
        if (Thread.currentThread().isInterrupted()) {
            throw interrupted(function);
        }
    }

    /** The exception for a call that was interrupted. */
    static DamoException interrupted(String function) {
        return new DamoException("interrupted", "in " + function + ": the call was interrupted; "
                + "the state is as it was before", Map.of("function", function));
    }
}
