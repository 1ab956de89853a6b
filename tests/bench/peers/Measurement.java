/*
 * Licensed under the Apache License, Version 2.0 (the "License"); you may
 * not use this file except in compliance with the License. You may obtain
 * a copy of the License at
 *
 *      http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
 * WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
 * License for the specific language governing permissions and limitations
 * under the License.
 */

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Times a matcher as every peer is timed, and prints the answer. */
final class Measurement {

    /** Takes one event as JSON and tells how many rules match it. */
    interface Matcher<T> {
        int match(T event) throws Exception;
    }

    private static long passes;

    private Measurement() {
    }

    /**
     * Passes over all events, first to warm up, then to measure.
     *
     * The best pass counts, as with what it is compared with: what else runs
     * on the machine can only make one slower.
     *
     * @param arguments the file of events, then the seconds of warming up and
     *     the seconds to measure, at least; whole passes are made
     * @param rules how many rules there are
     * @param form makes of a line what is kept in memory: itself or its bytes
     */
    static <T> void run(String[] arguments, int rules,
                        Function<String, T> form, Matcher<T> matcher)
            throws Exception {
        List<T> events = Files.readAllLines(Path.of(arguments[0])).stream()
            .map(form).collect(Collectors.toList());
        double warm = Double.parseDouble(arguments[1]);
        double seconds = Double.parseDouble(arguments[2]);
        long matches = 0;
        for (T event : events) {
            matches += matcher.match(event);
        }
        repeat(events, matcher, warm);
        System.gc();
        double best = repeat(events, matcher, seconds);
        System.out.printf(
            "{\"events_s\": %.1f, \"matches\": %d, \"rules\": %d, "
            + "\"events\": %d, \"passes\": %d}%n",
            events.size() / best, matches, rules, events.size(), passes);
    }

    /** Returns the seconds of the best pass. */
    private static <T> double repeat(List<T> events, Matcher<T> matcher,
                                     double seconds) throws Exception {
        long best = Long.MAX_VALUE;
        long end = System.nanoTime() + (long) (seconds * 1e9);
        passes = 0;
        do {
            long began = System.nanoTime();
            for (T event : events) {
                matcher.match(event);
            }
            best = Math.min(best, System.nanoTime() - began);
            passes++;
        } while (System.nanoTime() < end);
        return best / 1e9;
    }
}
