// Tunnel names: what a name may look like, which ones nobody gets, and names that the server invents.

/** Names that are, or may become, the server's own, or that a stranger could use to pass for the operator. */
const reserved = new Set(
  (
    "www admin api app auth login logout setup org orgs dashboard console account accounts static assets cdn status health " +
    "metrics live ready swagger docs help support security abuse billing mail smtp imap pop pop3 mx ns ns1 ns2 dns ftp ssh " +
    "autoconfig autodiscover wpad isatap localhost localdomain broadcasthost postmaster hostmaster webmaster root system " +
    "digit-link digitlink tunnel tunnels internal test-internal acme-challenge"
  ).split(" "),
);

/** Whether `name` is 1–63 of `a-z0-9-` without a hyphen at either end. Names are lower case: lower them first. */
export function isValidName(name: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name);
}

/** Whether nobody may take `name`: the built-in list, names of other systems (`xn--…`, `_…`), and `extra`. */
export function isReservedName(name: string, extra: readonly string[] = []): boolean {
  // A second and third hyphen in places 3 and 4 marks an encoded name (RFC 5890), which browsers show as something else.
  return reserved.has(name) || extra.includes(name) || name.slice(2, 4) === "--";
}

const adjectives =
  "amber ancient autumn bold brave breezy bright brisk calm clear clever cosy crisp curious dapper dawn deep dusty eager early easy fair fancy fast fluffy fond fresh frosty gentle glad golden grand green happy hazy hidden honest humble icy jolly keen kind late light lively lucky lunar mellow merry mild misty modest mossy neat nimble noble odd olive patient plain polite proud quick quiet rapid rare rosy royal rustic sandy shiny silent silver simple sleek smooth snowy soft solar solid spry steady still stormy sunny super swift tidy tiny true velvet vivid warm wild windy wise witty young";
const animals =
  "alpaca ant antelope badger bat bear beaver bee bison boar bobcat bumblebee camel canary cat cheetah chipmunk cobra condor cougar crab crane cricket crow deer dingo dolphin donkey dove duck eagle eel egret elk emu falcon ferret finch firefly fox frog gazelle gecko gibbon goat goose gopher grouse gull hare hawk hedgehog heron hippo horse hyena ibex ibis iguana impala jackal jaguar jay kestrel kiwi koala lark lemur leopard lion lizard llama lobster lynx macaw magpie marmot marten mole moose moth mouse newt ocelot octopus orca oriole osprey otter owl panda panther parrot pelican penguin pigeon pika plover pony puffin puma quail rabbit raccoon ram raven robin salmon seal shrew skunk sloth snail sparrow squid stork swan tapir tern tiger toad toucan trout turtle vole walrus weasel whale wolf wombat wren yak zebra";
const adjectiveList = adjectives.split(" ");
const animalList = animals.split(" ");

/** A memorable name such as `quiet-otter-4821`; about 10^8 of them, so the caller checks for a collision. */
export function randomName(random: () => number = secureRandom): string {
  const pick = (list: string[]): string => list[Math.floor(random() * list.length)]!;
  return `${pick(adjectiveList)}-${pick(animalList)}-${1_000 + Math.floor(random() * 9_000)}`;
}

/** [0, 1) from the system's random bits: names that can't be guessed from earlier ones. */
function secureRandom(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32;
}
