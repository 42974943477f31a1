"""How units, currencies and abbreviations are read aloud in English."""

from __future__ import annotations

UNITS = {
    "km": "kilometer", "m": "meter", "cm": "centimeter", "mm": "millimeter", "nm": "nanometer", "µm": "micrometer",
    "mi": "mile", "ft": "foot", "yd": "yard", "yds": "yard",
    "kg": "kilogram", "g": "gram", "mg": "milligram", "µg": "microgram", "mcg": "microgram", "lb": "pound",
    "lbs": "pound",
    "oz": "ounce", "kcal": "kilocalorie", "cal": "calorie", "t": "ton",
    "l": "liter", "L": "liter", "ml": "milliliter", "mL": "milliliter", "cl": "centiliter", "dl": "deciliter",
    "gal": "gallon", "qt": "quart", "pt": "pint", "tsp": "teaspoon", "tbsp": "tablespoon",
    "s": "second", "sec": "second", "secs": "second", "ms": "millisecond", "µs": "microsecond", "ns": "nanosecond",
    "min": "minute", "mins": "minute", "h": "hour", "hr": "hour", "hrs": "hour", "yr": "year", "yrs": "year",
    "wk": "week", "wks": "week", "mo": "month", "mos": "month",
    "Hz": "hertz", "hz": "hertz", "kHz": "kilohertz", "khz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz",
    "THz": "terahertz",
    "W": "watt", "kW": "kilowatt", "MW": "megawatt", "GW": "gigawatt", "Wh": "watt hour", "kWh": "kilowatt hour",
    "MWh": "megawatt hour", "V": "volt", "mV": "millivolt", "kV": "kilovolt", "mA": "milliamp", "mAh": "milliamp hour",
    "Ah": "amp hour", "J": "joule", "kJ": "kilojoule", "N": "newton", "Nm": "newton meter", "Pa": "pascal",
    "kPa": "kilopascal", "hPa": "hectopascal", "MPa": "megapascal", "psi": "P S I", "bar": "bar", "dB": "decibel",
    "kB": "kilobyte", "KB": "kilobyte", "kb": "kilobyte", "MB": "megabyte", "mb": "megabyte", "GB": "gigabyte",
    "gb": "gigabyte", "TB": "terabyte", "PB": "petabyte", "GiB": "gibibyte", "MiB": "mebibyte", "Mb": "megabit",
    "Gb": "gigabit", "kbps": "kilobit per second", "Kbps": "kilobit per second", "Mbps": "megabit per second",
    "Gbps": "gigabit per second", "MB/s": "megabyte per second", "GB/s": "gigabyte per second",
    "mph": "mile per hour", "kph": "kilometer per hour", "km/h": "kilometer per hour", "kmh": "kilometer per hour",
    "m/s": "meter per second", "m/s²": "meter per second squared", "m/s^2": "meter per second squared",
    "mmHg": "millimeter of mercury", "kg/m³": "kilogram per cubic meter", "g/cm³": "gram per cubic centimeter",
    "W/m²": "watt per square meter", "mg/dL": "milligram per deciliter", "mmol/L": "millimole per liter",
    "mpg": "mile per gallon", "rpm": "revolution per minute", "bpm": "beat per minute",
    "fps": "frame per second", "dpi": "dot per inch", "ppm": "part per million",
    "km²": "square kilometer", "m²": "square meter", "cm²": "square centimeter", "mm²": "square millimeter",
    "km2": "square kilometer", "m2": "square meter", "ft²": "square foot", "mi²": "square mile",
    "sq ft": "square foot", "sq. ft.": "square foot", "sq m": "square meter", "sq km": "square kilometer",
    "sq mi": "square mile", "m³": "cubic meter", "cm³": "cubic centimeter", "m3": "cubic meter", "ft³": "cubic foot",
    "ha": "hectare", "mol": "mole", "mmol": "millimole", "AU": "astronomical unit", "ly": "light year", "px": "pixel",
}  # fmt: skip
"""Units after a number, in the singular."""

ALONE = ("km/h", "m/s", "km²", "m²", "km", "kg", "cm", "mm", "kWh", "GHz", "MHz", "kHz", "Mbps", "Gbps")
"""Units that are read as words also without a number."""

PLURALS = {"millimeter of mercury": "millimeters of mercury",
           "foot": "feet", "hertz": "hertz", "kilohertz": "kilohertz", "megahertz": "megahertz",
           "gigahertz": "gigahertz", "terahertz": "terahertz", "P S I": "P S I", "inch": "inches"}  # fmt: skip

CURRENCIES = {
    "$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny"), "¥": ("yen", ""), "￥": ("yen", ""),
    "₹": ("rupee", "paisa"), "₩": ("won", ""), "₽": ("ruble", "kopek"), "₺": ("lira", "kurus"), "₪": ("shekel", ""),
    "₫": ("dong", ""), "฿": ("baht", ""), "₴": ("hryvnia", ""), "₦": ("naira", ""), "₱": ("peso", ""),
    "₿": ("bitcoin", ""),
    "USD": ("U S dollar", "cent"), "EUR": ("euro", "cent"), "GBP": ("pound", "penny"), "JPY": ("yen", ""),
    "CNY": ("yuan", ""), "RMB": ("yuan", ""), "INR": ("rupee", "paisa"), "CHF": ("Swiss franc", ""),
    "AUD": ("Australian dollar", "cent"), "CAD": ("Canadian dollar", "cent"), "NZD": ("New Zealand dollar", "cent"),
    "HKD": ("Hong Kong dollar", "cent"), "SGD": ("Singapore dollar", "cent"), "SEK": ("Swedish krona", ""),
    "NOK": ("Norwegian krone", ""), "DKK": ("Danish krone", ""), "PLN": ("zloty", ""), "CZK": ("Czech koruna", ""),
    "MXN": ("Mexican peso", ""), "BRL": ("real", ""), "KRW": ("won", ""), "RUB": ("ruble", ""), "TRY": ("lira", ""),
    "ZAR": ("rand", ""), "BTC": ("bitcoin", ""), "ETH": ("ether", ""),
    "US$": ("U S dollar", "cent"), "A$": ("Australian dollar", "cent"), "AU$": ("Australian dollar", "cent"),
    "C$": ("Canadian dollar", "cent"), "CA$": ("Canadian dollar", "cent"), "NZ$": ("New Zealand dollar", "cent"),
    "HK$": ("Hong Kong dollar", "cent"), "S$": ("Singapore dollar", "cent"), "R$": ("real", ""),
}  # fmt: skip
"""Names of currencies and of their hundredths, which are empty where they are not said."""

CURRENCY_PLURALS = {"yen": "yen", "won": "won", "yuan": "yuan", "baht": "baht", "dong": "dong", "rand": "rand",
                    "Swedish krona": "Swedish kronor", "Norwegian krone": "Norwegian kroner",
                    "Danish krone": "Danish kroner", "penny": "pence", "paisa": "paise", "real": "reais",
                    "zloty": "zloty", "naira": "naira", "hryvnia": "hryvnia", "lira": "lira", "bitcoin": "bitcoin",
                    "ether": "ether", "kurus": "kurus"}  # fmt: skip

MAGNITUDES = {
    "k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million", "mil": "million",
    "mm": "million", "MM": "million", "b": "billion", "B": "billion", "bn": "billion", "Bn": "billion",
    "t": "trillion", "T": "trillion", "tn": "trillion", "trn": "trillion", "bil": "billion",
}  # fmt: skip
"""Ends of amounts of money; of other numbers only the letters of NUMBER_MAGNITUDES."""

NUMBER_MAGNITUDES = {"k": "thousand", "K": "thousand", "M": "million", "bn": "billion", "tn": "trillion"}

BEFORE_NAMES = {
    "Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Prof": "Professor", "St": "Saint", "Mt": "Mount",
    "Ft": "Fort", "Gov": "Governor", "Sen": "Senator", "Rep": "Representative", "Gen": "General", "Col": "Colonel",
    "Capt": "Captain", "Lt": "Lieutenant", "Sgt": "Sergeant", "Cpl": "Corporal", "Maj": "Major", "Rev": "Reverend",
    "Hon": "Honorable", "Pres": "President", "Supt": "Superintendent", "Adm": "Admiral", "Cmdr": "Commander",
    "Pvt": "Private", "Fr": "Father", "Sr": "Sister", "Br": "Brother", "Msgr": "Monsignor", "Messrs": "Messrs",
}  # fmt: skip
BEFORE_NUMBERS = {
    "No": "number", "Nos": "numbers", "no": "number", "nos": "numbers", "Nr": "number", "p": "page", "pp": "pages",
    "P": "page", "Pp": "pages", "Fig": "Figure", "fig": "figure", "Figs": "Figures", "figs": "figures",
    "Vol": "Volume", "vol": "volume", "Vols": "Volumes", "vols": "volumes", "Ch": "Chapter", "ch": "chapter",
    "Chap": "Chapter", "chap": "chapter", "Sec": "Section", "sec": "section", "Sect": "Section", "sect": "section",
    "Art": "Article", "art": "article", "Eq": "Equation", "eq": "equation", "Eqs": "Equations", "eqs": "equations",
    "Tab": "Table", "tab": "table", "Ex": "Example", "ex": "example", "Ext": "Extension", "ext": "extension",
    "Rm": "Room", "rm": "room", "Apt": "Apartment", "apt": "apartment", "Ste": "Suite", "ste": "suite", "Pt": "Part",
    "pt": "part", "Op": "Opus", "op": "opus", "c": "circa", "ca": "circa", "Para": "Paragraph", "para": "paragraph",
    "Est": "Established", "est": "established", "Tel": "Telephone", "tel": "telephone", "Bldg": "Building",
    "Ver": "Version",
    "ver": "version", "Bk": "Book", "Hwy": "Highway", "Rte": "Route", "Lv": "Level", "lv": "level", "Lvl": "Level",
    "lvl": "level", "Ep": "Episode", "ep": "episode",
}  # fmt: skip
AFTER_NAMES = {
    "St": "Street", "Ave": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Ln": "Lane", "Dr": "Drive", "Hwy": "Highway",
    "Pkwy": "Parkway", "Sq": "Square", "Ct": "Court", "Pl": "Place", "Jr": "Junior", "Sr": "Senior",
    "Inc": "Incorporated",
    "Ltd": "Limited", "Corp": "Corporation", "Co": "Company", "Bros": "Brothers", "Dept": "Department",
    "Univ": "University", "Assn": "Association", "Esq": "Esquire",
}  # fmt: skip
ANYWHERE = {
    "e.g.": "for example", "i.e.": "that is", "etc.": "and so on", "approx.": "approximately", "vs.": "versus",
    "cf.": "compare", "et al.": "and others", "viz.": "namely", "a.k.a.": "also known as", "dept.": "department",
    "Dept.": "Department", "est.": "estimated", "min.": "minimum", "max.": "maximum", "avg.": "average",
    "misc.": "miscellaneous", "incl.": "including", "excl.": "excluding", "govt.": "government", "temp.": "temperature",
    "qty.": "quantity", "orig.": "original", "hrs.": "hours", "mins.": "minutes", "yrs.": "years", "lbs.": "pounds",
    "ft.": "feet", "oz.": "ounces", "tbsp.": "tablespoons", "tsp.": "teaspoons", "Jan.": "January", "Feb.": "February",
    "Mar.": "March", "Apr.": "April", "Jun.": "June", "Jul.": "July", "Aug.": "August", "Sept.": "September",
    "Sep.": "September", "Oct.": "October", "Nov.": "November", "Dec.": "December", "Mon.": "Monday",
    "Tue.": "Tuesday", "Tues.": "Tuesday", "Wed.": "Wednesday", "Thu.": "Thursday", "Thurs.": "Thursday",
    "Thur.": "Thursday", "Fri.": "Friday",
}  # fmt: skip
WHOLE_WORDS = {"vs": "versus", "w/o": "without", "c/o": "care of", "w/": "with", "b/c": "because",
               "aka": "also known as",
               "N/A": "not applicable", "n/a": "not applicable", "approx": "approximately"}  # fmt: skip

RULERS = frozenset(
    "Henry Louis Elizabeth George Edward Charles William James Richard Mary Paul Pius Leo Gregory Benedict Clement "
    "Innocent Urban Boniface Nicholas Alexander Peter Catherine Ivan Frederick Philip Philippe Felipe Ferdinand "
    "Wilhelm "
    "Otto Ramses Ramesses Ptolemy Xerxes Darius Carlos Haakon Gustav Harald Christian Margrethe Umberto Emmanuel Franz "
    "Francis Joseph Leopold Albert Baudouin Napoleon Constantine Justinian Theodosius Sixtus Julius Malcolm Robert "
    "Stephen Canute Cnut Olaf Sigismund Casimir Sobieski Selim Mehmed Murad Suleiman Mahmud Abdul Hamid Thutmose "
    "Amenhotep Cleopatra Tutankhamun Victor John Alfonso Pedro Manuel Sancho Afonso Rudolf Maximilian Matthias Rama "
    "Abbas Akbar Bayezid Osman Adrian Celestine Callixtus Eugene Sylvester Tiberius".split()
)
TITLES = frozenset("King Queen Pope Emperor Empress Tsar Czar Sultan Prince Princess Duke Shah Pharaoh Kaiser".split())
NUMBERED = frozenset(
    "war chapter part act scene volume vol book section article title phase type class grade level stage appendix bowl "
    "episode mark version schedule figure table unit lesson round division tier category factor group canto vatican "
    "apollo rocky rambo fantasy wars saw alien edition module step exhibit annex annexe panel plate zone area region "
    "model series season quake civilization gemini saturn titan vostok".split()
)
"""Words after which a Roman numeral of one letter is a number, too."""
