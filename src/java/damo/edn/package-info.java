/**
 * EDN as plain Java values, read from text that nobody vouches for, and written. Pure functions.
 */
package damo.edn;
