/** The front door of the Java core: {@code Damo.load} and the exception that everything throws. Depends on no Clojure class. */
package damo;
