package damo.runtime;

import damo.DamoException;
import damo.jit.Pool;
import damo.lib.Threads;
import damo.tensor.Tensor;

/**
 * Runs calls, one at a time and each by one thread: takes arguments, locks states, enters native
 * code, and puts everything back. Its memory is kept between calls, so that a call with shapes
 * that were seen before allocates only its outputs.
 */
final class Frame implements AutoCloseable {
    /** The status of a call that was asked to stop. */
    private static final int INTERRUPTED = 2;
    /** A call of less work than this, under a millisecond, is not worth an interrupt. */
    private static final double SHORT = 1e5;
    /** One of less than this, microseconds, may have a collection of garbage wait for it. */
    private static final double TINY = 2e4;

    private final Plan plan;
    private final Workspace work;
    private final Operands.Room room;
    private final Rollback rollback;
    private final Interruption interruption;
    /** Null for a program without host steps. */
    private final HostRun hosts;
    private final long[] stamps;
    /** What the workspace has been told of threads. */
    private int threads;
    /** Where it stands in the pool; -1 before it does. */
    int place = -1;

    Frame(Plan plan) {
        this.plan = plan;
        this.work = new Workspace(plan);
        this.room = new Operands.Room(plan, work);
        this.rollback = new Rollback(plan.states, plan.written);
        this.interruption = new Interruption(work.stop());
        this.hosts = plan.hosts ? new HostRun(plan, work.words(), interruption) : null;
        this.stamps = new long[plan.states.length];
    }

    /**
     * One call, or {@code n} in native code: into the given buffers, or into new tensors when
     * {@code given} is null. Returns the outputs.
     */
    Tensor[] run(long n, Tensor[] given, Object[] args) {
        Arguments.checkCount(plan.program(), args.length);
        Interruption.check(plan.program().name());
        // Arguments may be far away: all are looked at before the first is held, as who holds one
        // waits for it, and only then looks at the next.
        Operands operands = new Operands(room, args);
        boolean shaped = operands.shaped(work.bound());
        try {
            operands.pin();
            plan.locks.lock(stamps);
            Bound bound = plan.shapes.of(operands.inputs(), work.bound(), shaped);
            pinStates(n, bound);
            work.take(bound);
            allow(Math.min(Threads.get(), plan.threads));
            operands.prepare(given, work.bound().binding());
            execute(n, operands);
            return operands.results();
        } finally {
            plan.locks.unlock(stamps);
            operands.release();
        }
    }

    private void allow(int most) {
        if (most != threads) {
            Pool.need(most);
            work.allow(most);
            threads = most;
        }
    }

    private void pinStates(long n, Bound bound) {
        for (int i = 0; i < plan.states.length; i++) {
            State state = plan.states[i];
            work.put(plan.stateBuffers[i], state.memory().address());
            work.matrices().state(i, state, n, bound);
        }
    }

    private void execute(long n, Operands operands) {
        work.clear(operands.outputs());
        boolean saves = n == 1 ? plan.savesOne : plan.savesMany;
        if (saves) {
            rollback.save();
        }
        int status = n == 1 && work.bound().binding().work() < SHORT
                ? call(n, operands) : callInterruptibly(n, operands);
        if (status != 0) {
            work.matrices().settle();
            if (saves) {
                rollback.restore();
            }
            long[][] rounds = work.takeRounds();
            throw status == INTERRUPTED ? Interruption.interrupted(plan.program().name())
                    : plan.failures.inRounds(failure(), rounds);
        }
    }

    private int callInterruptibly(long n, Operands operands) {
        if (hosts != null) {
            hosts.enter(work.bound().binding());
        }
        interruption.enter();
        try {
            return call(n, operands);
        } finally {
            interruption.leave();
            if (hosts != null) {
                hosts.leave();
            }
        }
    }

    private int call(long n, Operands operands) {
        return operands.lent()
                ? NativeCalls.repeatKeeping(plan.repeat, work.buffers(), work.dims(),
                        work.failure(), n, operands.lenders())
                : n == 1 ? NativeCalls.call(plan.entry, work.buffers(), work.dims(),
                        work.failure(), work.bound().binding().work() < TINY)
                : NativeCalls.repeat(plan.repeat, work.buffers(), work.dims(), work.failure(), n);
    }

    private DamoException failure() {
        DamoException thrown = hosts == null ? null : hosts.failure();
        return thrown != null ? thrown
                : plan.failures.of(work.failure(0), work.failure(1), work.failure(2));
    }

    /** Frees the frame's memory; it must not be in use. */
    @Override
    public void close() {
        work.close();
        room.close();
        rollback.close();
    }
}
