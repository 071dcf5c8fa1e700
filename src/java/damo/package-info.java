/**
 * What everything else stands on: the exception that all of the Java core throws, and the limits of
 * programs. An application begins with {@link damo.Damo}. The core depends on no
 * Clojure class, and all of it may be used from any thread.
 */
package damo;
