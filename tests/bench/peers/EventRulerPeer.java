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

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Function;
import software.amazon.event.ruler.Machine;

/** event-ruler: one machine holds all rules of all projects. */
final class EventRulerPeer {

    private EventRulerPeer() {
    }

    /** Takes the file of rules, then what Measurement takes. */
    public static void main(String[] arguments) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        Machine machine = new Machine();
        int rules = 0;
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            JsonNode rule = mapper.readTree(line);
            machine.addRule(rule.get("id").asText(),
                            rule.get("pattern").toString());
            rules++;
        }
        Measurement.run(
            Arrays.copyOfRange(arguments, 1, arguments.length), rules,
            Function.identity(),
            event -> machine.rulesForJSONEvent(event).size());
    }
}
