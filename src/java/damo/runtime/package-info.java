/**
 * Compiled functions at run time: arguments, state, calls into native code, failures, model files.
 *
 * <p>Memory: constants and machine code belong to a {@link damo.runtime.Function}; each call in
 * progress has a frame of its own (pointer table, dimensions, arena of temporaries), which goes
 * back to a pool afterwards, so that a steady call allocates only its outputs. Arguments are pinned
 * for the length of the call. Closing a function lets calls in progress finish.
 *
 * <p>Threads: functions and states may be used from any number of threads at once. A call holds the
 * locks of the states that it mentions, shared for reading and exclusive for writing, taken in one
 * global order; hence a call sees all its states at one moment, and no two calls can deadlock.
 */
package damo.runtime;
