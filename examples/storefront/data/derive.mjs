// Derives colors.csv from the npm package color-name-list.
//
//   npm pack color-name-list@14.29.0 && tar xf color-name-list-14.29.0.tgz
//   node derive.mjs package/dist/colornames.bestof.csv > colors.csv
//
// The output is a function of the input file alone. README.md states the rules.
import { readFileSync } from "node:fs";

const MAX_CHROMA = 220; // OKLCH chroma x 1000: what is stronger than this is light, not paint
const NEON = { lightness: 870, chroma: 140 }; // and so is what is both this light and this strong
const MAX_NAME = 26; // characters; longer names do not fit on the lid of a tin

// Names that belong to somebody, or that nobody should have to read out in a shop.
const EXCLUDED = new RegExp(
  "(^|[^a-z])(" +
    [
      // brands, characters, titles
      "amazon prime", "android", "apple ii", "atari", "bart", "barbie\\w*", "batman", "beatle", "blue oyster cult", "bluetooth",
      "bmw", "cadillac", "chewbacca", "coca\\w*", "coke", "cookie monster", "darth", "death star", "disney\\w*", "dr\\.?", "elmo",
      "ello", "facebook\\w*", "fanta", "ferrari", "frodo", "gameboy", "gandalf\\w*", "godzilla", "goldzilla", "google", "grinch\\w*", "gucci",
      "hal 9000", "harley", "harry", "helvetica", "hobbit\\w*", "hogwarts", "homer", "hulk\\w*", "ikea", "indiana jones", "instagram",
      "iron man", "jabba", "jedi", "joker\\w*", "kermit\\w*", "king kong", "lamborghini", "lego", "link.s awakening", "luigi", "mario",
      "master chief", "matrix", "mc\\w+", "mcdonald\\w*", "minecraft", "minion\\w*", "miss piggy", "monopoly", "mordor", "my little pony",
      "netflix", "nike", "nintendo\\w*", "nutella", "obi", "oompa", "oscar", "pac.man", "pepsi", "pikachu\\w*", "pixar", "pok\\w?mon",
      "playstation", "porsche", "shrek", "simpson\\w*", "smurf\\w*", "snoop\\w*", "sonic", "spider.?man", "spotify", "sponge ?bob", "star trek",
      "star wars", "starbuck\\w*", "super mario", "superman", "tabasco", "tardis", "tesla", "tetris", "thanos", "tiffany\\w*", "tinkerbell",
      "tron", "twitter", "ufo", "vader", "vulcan", "wonka", "wookie\\w*", "xbox", "yoda", "youtube", "zelda", "20000 leagues.*",
      "bat.signal", "battletoad", "big yellow taxi", "bioshock", "black panther", "black sabbath", "bulma", "butterbeer", "cacodemon", "captain kirk",
      "cheese wiz", "columbo.s", "corona", "count chocula", "cup noodles", "dark prince", "donkey kong", "double dragon", "dragon ball", "duck hunt",
      "dwarf fortress", "elden ring", "fist of the north.*", "frogger", "garfield", "goku", "goldfrapp", "green goblin", "gremlin", "hamtaro",
      "harlock.s", "hollow knight", "hyper light.*", "ice climber", "iron maiden", "jigglypuff", "jurassic park", "kid icarus", "kirby", "knight rider",
      "koopa", "kryptonite", "lightsaber", "link to the past", "lion king", "little mermaid", "m\\. bison", "marilyn.*", "marsupilami", "megaman", "metal gear",
      "monkey island", "mountain dew", "mr\\. krabs", "ninja turtle", "orangina", "pimm.s", "pink floyd", "poseidon jr", "princess peach", "protoss",
      "ravenclaw", "red arremer", "sailor moon", "salt.n.pepa", "schiaparelli", "secret of mana", "shadow of the col\\w*", "silver surfer", "super saiyan",
      "the legend of.*", "voldemort", "what we do.*", "windows 95.*", "wing commander", "wu.tang", "yoshi", "zergling",
      // violence, drugs, bodies, insults, peoples
      "absinthe minded", "alcohol\\w*", "angry", "arsenic", "ass", "assassin", "bastard", "bitch\\w*", "blood\\w*", "bloody", "bomb\\w*", "bone\\w*",
      "booger\\w*", "brain\\w*", "bruise\\w*", "buddha.*", "bullet\\w*", "butt", "cannabis", "cannibal", "carcass", "cocaine", "corpse", "crap",
      "cult", "cum", "cyanide", "dead\\w*", "death\\w*", "dementia", "demon\\w*", "devil\\w*", "doom\\w*", "drown\\w*", "drug\\w*", "drunk\\w*", "eskimo",
      "evil\\w*", "explosion", "fart\\w*", "fat", "fatal", "flesh\\w*", "geisha\\w*", "ghoul\\w*", "go to hell.*", "gore", "grave\\w*", "guillotine", "gun\\w*",
      "gypsy\\w*", "hell", "heroin\\w*", "hooker\\w*", "homicid\\w*", "indian\\w*", "infect\\w*", "insan\\w*", "intoxicat\\w*", "kill\\w*", "knife", "liver",
      "lust\\w*", "madness", "meat", "military", "missile", "moist", "mold", "mortal", "mould\\w*", "mucus", "murder\\w*", "naked\\w*", "nasty", "nazi\\w*", "nipple\\w*",
      "nuclear\\w*", "nude\\w*", "nun", "oriental", "pee", "piss\\w*", "phlegm", "pimp\\w*", "plague\\w*", "poison\\w*", "poop\\w*", "porn\\w*", "pubes?cent", "puke\\w*",
      "pus", "radioactiv\\w*", "rape\\w*", "rotten", "rust in peace", "satan\\w*", "savage\\w*", "scalp", "scream\\w*", "seduc\\w*", "sewer\\w*", "sex\\w*", "shit\\w*",
      "skeleton", "skin\\w*", "skull\\w*", "slime\\w*", "sludge", "slut\\w*", "smell\\w*", "snot\\w*", "suicid\\w*", "sweat\\w*", "tattoo", "toilet", "tongue",
      "toxic\\w*", "torture", "tribal\\w*", "urine", "vampir\\w*", "venom\\w*", "vomit\\w*", "war", "weapon\\w*", "whore\\w*", "wrath", "zombie\\w*",
      "apocalyptic", "ayahuasca", "aphrodisiac", "badass", "bigfoot", "biohazard", "bleeding", "blister", "black power", "burned", "cartoon violence", "castro",
      "chubby", "closet skeletons", "coal hard.*", "communist", "dessou", "eyeball", "fatback", "fatty", "final departure", "gangsters", "getting wet", "gory",
      "harem", "hindu", "horror", "inuit", "islamic", "kabul", "lolita", "love juice", "macabre", "maniac", "mecca", "menace", "methadone", "militant", "morbid",
      "mosque", "naughty", "nicotine", "nightmare", "noxious", "opium", "pheromone", "plantation", "porky", "possessed", "queer", "sacrifice", "sanguine",
      "scar", "serial", "sheikh", "sinsemilla", "six feet under", "socialist", "soulless", "soviet", "splatter", "succubus", "surgical", "testosterose", "tooth",
      "voodoo", "warlord", "wicked", "widowmaker",
    ].join("|") +
    ")($|[^a-z])",
);

const plain = (s) => s.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").replace(/ø/g, "o").replace(/[’‘`]/g, "'").toLowerCase();
const slugOf = (s) => plain(s).replace(/'/g, "").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");

function lightnessAndChroma(hex) {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const v = parseInt(hex.slice(i, i + 2), 16) / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  const L = 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s;
  const a = 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s;
  const bb = 0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s;
  return [L, Math.hypot(a, bb)].map((x) => Math.floor(x * 1000 + 0.5));
}

const rows = new Map();
for (const line of readFileSync(process.argv[2], "utf8").trim().split("\n").slice(1)) {
  const comma = line.lastIndexOf(",");
  const name = line.slice(0, comma).trim();
  const hex = line.slice(comma + 1).trim().toLowerCase();
  if (!/^#[0-9a-f]{6}$/.test(hex) || /["\n,]/.test(name)) continue;
  if ([...name].length > MAX_NAME || !/^\p{Lu}/u.test(name) || EXCLUDED.test(plain(name))) continue;
  const [L, C] = lightnessAndChroma(hex);
  if (C > MAX_CHROMA || (L >= NEON.lightness && C >= NEON.chroma)) continue;
  const slug = slugOf(name);
  if (slug && !rows.has(slug)) rows.set(slug, `${slug},${name},${hex}`);
}
const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
process.stdout.write(["slug,name,hex", ...sorted].join("\n") + "\n");
