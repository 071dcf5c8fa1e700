/**
 * Native libraries: found in the jars of the class path, unpacked once, opened, called by address.
 *
 * <p>Memory: a library, once open, stays open until the process ends; addresses never go stale.
 * Threads: everything here may be called from any thread. Nothing depends on JavaCPP: only its
 * jars, which carry the libraries as plain resources, are used.
 */
package damo.lib;
