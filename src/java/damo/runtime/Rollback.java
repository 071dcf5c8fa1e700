package damo.runtime;

import damo.tensor.Tensor;

/** Copies of the states that a call writes, for the case that it fails; done under their locks. */
final class Rollback implements AutoCloseable {
    private final State[] states;
    private final boolean[] written;
    private final Tensor[] saved;

    /** {@code written[i]} tells whether the function writes {@code states[i]}. */
    Rollback(State[] states, boolean[] written) {
        this.states = states;
        this.written = written;
        this.saved = new Tensor[states.length];
    }

    /** Copies their memory, however it lies: that does not change before the call ends. */
    void save() {
        for (int i = 0; i < saved.length; i++) {
            if (written[i]) {
                Tensor value = states[i].memory();
                if (saved[i] == null || !saved[i].hasShape(value.shape())) {
                    close(i);
                    saved[i] = value.copy();
                } else {
                    saved[i].copyFrom(value, false);
                }
            }
        }
    }

    /** Makes them what they were. */
    void restore() {
        for (int i = 0; i < saved.length; i++) {
            if (written[i]) {
                states[i].memory().copyFrom(saved[i], false);
            }
        }
    }

    private void close(int i) {
        if (saved[i] != null) {
            saved[i].close();
            saved[i] = null;
        }
    }

    /** Frees the copies. */
    @Override
    public void close() {
        for (int i = 0; i < saved.length; i++) {
            close(i);
        }
    }
}
