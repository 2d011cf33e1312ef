package simulate

// A culture is where a family's names come from: given names that many people
// share, and surnames put together from beginnings and endings, so that no
// surname is anybody's on purpose.
type culture struct {
	weight  float64
	given   []string
	starts  []string
	endings []string
}

var cultures = []culture{
	{30, words("Anja Bernd Carla Dirk Eva Frank Greta Heiko Ines Jens Karin Lutz Maren Nils Petra Ralf Silke Timo Ute Volker"),
		words("Brunn Hagel Kest Lind Moor Oster Rauth Selm Tann Wolfer Drossel Egger Fahl Grind Holl"), words("acker bichler dorfer kamp mair rieder städter wig hauser leitner")},
	{12, words("Ania Bartek Celina Darek Ewa Filip Gosia Hubert Iga Janek Kasia Lech Marta Oskar Pola"),
		words("Brz Dobr Grom Jawor Kalin Leszcz Mal Now Ostr Piot Szyd Wierz"), words("anowski elski icki owicz ewski aniak")},
	{12, words("Ayla Berk Canan Deniz Elif Firat Gül Hakan Ilkay Kerem Leyla Mert Nesrin Onur Selin"),
		words("Ak Bal Çel Dem Er Gök Kara Öz Sar Taş Yıl"), words("birler dağlı gülsoy karman oğuz tekinli yurtcu soylar")},
	{9, words("Adriano Bruna Carlo Dalia Enzo Fiora Gino Ilaria Livio Marisa Nando Ornella Pino Rosina"),
		words("Bel Cor Dal Fior Gal Mont Ros Tar Val Zan"), words("andretti avelli enzani iolato otteri uscello")},
	{9, words("Alba Benito Clara Diego Elvira Fermín Gloria Hugo Inés Javier Lola Mateo Nuria Pablo Rocío"),
		words("Alm Bar Cast Esp Guar Lor Mir Pal Sal Ver"), words("andero eguilar onzález anueva urrieta edosa")},
	{7, words("Amal Bassam Dina Farid Ghada Hani Iman Jamil Karim Lina Munir Nadia Omar Rania Sami"),
		words("Al-Bar El-Had Al-Jun El-Kas Al-Mur Ben-Sal Al-Tar El-Waz"), words("aydi ouri anni ashi eddin awi")},
	{6, words("Abena Chidi Efua Femi Kwame Lindiwe Mosi Ngozi Obi Sade Tano Yemi Zola"),
		words("Ade Boa Chu Dlam Eze Mbe Nko Oko Tam"), words("bayo kwasi lundo mensa ngwu sibeko wande")},
	{6, words("An Bao Chau Dung Hoa Huong Kiet Lan Linh Mai Nam Phuc Quynh Thao Vinh"),
		words("Cha Dae Fuh Kwo Lai Min Suo Thi Xua Yun"), words("bei jin liang mura naka shen tao")},
	{5, words("Asha Bala Deepa Gita Harish Indu Jaya Kiran Lata Mohan Nitin Priya Ravi Sunil Uma"),
		words("Bhar Chand Dev Gop Kul Mad Nar Raj Sur Vel"), words("akrishan amurti atnam endran ishwar anikam")},
	{4, words("Aino Björn Dagny Eero Freja Gunnar Helmi Ivar Jytte Kalle Liv Mikko Oddny Runa Sven"),
		words("Berg Dal Fjell Haug Kall Lund Myr Ny Sol Vest"), words("ersen kvist mäki nesgård stedt vuori åsen")},
}

// words splits at blanks.
func words(s string) (out []string) {
	for start, i := 0, 0; i <= len(s); i++ {
		if i == len(s) || s[i] == ' ' {
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return out
}

// surnames are all that there are; surnameFrom[i] is the culture of surname i.
var surnames, surnameFrom = func() (names []string, from []uint8) {
	for c := range cultures {
		for _, s := range cultures[c].starts {
			for _, e := range cultures[c].endings {
				names = append(names, s+e)
				from = append(from, uint8(c))
			}
		}
	}
	return names, from
}()

// firstSurname[c] is the first surname of culture c; one more ends the list.
var firstSurname = func() (first []int) {
	n := 0
	for _, c := range cultures {
		first = append(first, n)
		n += len(c.starts) * len(c.endings)
	}
	return append(first, n)
}()

var cultureWeights = func() (w []float64) {
	for _, c := range cultures {
		w = append(w, c.weight)
	}
	return w
}()

// surname draws one; within a culture some are common and most are rare.
func (d dice) surname() uint16 {
	c := d.weighted(cultureWeights)
	lo, hi := firstSurname[c], firstSurname[c+1]
	u := d.Float64()
	return uint16(lo + int(float64(hi-lo)*u*u))
}

// given draws a given name for somebody of this surname, most often from the
// same culture.
func (d dice) given(surname uint16) (culture, index uint8) {
	culture = surnameFrom[surname]
	if d.chance(0.12) {
		culture = uint8(d.weighted(cultureWeights))
	}
	return culture, uint8(d.IntN(len(cultures[culture].given)))
}

var (
	streetStarts  = words("Ahorn Birken Brunnen Distel Eichen Falken Garten Hafer Iltis Kastanien Kiesel Linden Mühl Nuss Otter Pappel Quell Raben Salbei Tannen Ulmen Wiesen")
	streetEndings = words("allee gasse platz ring steig straße ufer weg winkel")
	townStarts    = words("Alten Bären Claus Dünen Elm Falken Grün Hohen Ilsen Krumm Lauter Moos Neu Ober Quer Rosen Stein Tief Unter Wald")
	townEndings   = words("bach brück dorf feld furt hagen heim kirch stedt wede")
	carriers      = words("Postreiter Kurierdienst Paketlinie Nordbote")
)
