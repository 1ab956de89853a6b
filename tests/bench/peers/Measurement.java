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

    private Measurement() {
    }

    /**
     * Passes over all events, first to warm up, then to measure.
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
        long matches = pass(events, matcher);
        repeat(events, matcher, warm);
        System.gc();
        long began = System.nanoTime();
        long passes = repeat(events, matcher, seconds);
        double took = (System.nanoTime() - began) / 1e9;
        System.out.printf(
            "{\"events_s\": %.1f, \"matches\": %d, \"rules\": %d, "
            + "\"events\": %d, \"passes\": %d}%n",
            passes * events.size() / took, matches, rules, events.size(),
            passes);
    }

    private static <T> long repeat(List<T> events, Matcher<T> matcher,
                                   double seconds) throws Exception {
        long began = System.nanoTime();
        long passes = 0;
        do {
            pass(events, matcher);
            passes++;
        } while ((System.nanoTime() - began) / 1e9 < seconds);
        return passes;
    }

    private static <T> long pass(List<T> events, Matcher<T> matcher)
            throws Exception {
        long matches = 0;
        for (T event : events) {
            matches += matcher.match(event);
        }
        return matches;
    }
}
