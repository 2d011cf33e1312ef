package detect

func (e *Engine) crowd(c, visit int32, at int64)    {}
func (e *Engine) seen(c, visit int32, open float64) {}
