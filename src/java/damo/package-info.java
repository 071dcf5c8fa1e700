/**
 * The front door of the Java core: {@code Damo.load} and the exception that everything throws.
 * Depends on no Clojure class. All of it may be used from any thread.
 */
package damo;
