/*
 * What the bar says: from what happened to the page to a message and links. Nothing here touches the document.
 */

/**
 * @typedef {Object} News
 * @property {number} edits how many, since the page was loaded
 * @property {number} last the newest revision of those
 * @property {Object|null} event what happened last, as the wiki told it
 */

/**
 * @return {News}
 */
export function nothing() {
	return { edits: 0, last: 0, event: null };
}

/**
 * Take in what happened.
 *
 * @param {News} news
 * @param {Object} event the message of the wiki
 * @param {{revision: number, user: string|null, time: number}} reader the revision on the screen, who looks at it, and the Unix time at which
 *  the wiki made the page
 * @return {News} the same object when there is nothing new for this reader
 */
export function take( news, event, reader ) {
	if ( !event || reader.user !== null && event.user === reader.user ) {
		return news;
	}
	switch ( event.event ) {
		case 'edit':
		case 'create': {
			const rev = Number( event.rev );
			return rev > Math.max( reader.revision, news.last ) ? { edits: news.edits + 1, last: rev, event } : news;
		}
		case 'move':
			if ( event.rev && Number( event.rev ) <= reader.revision ) {
				return news;
			}
			// The new title is not for everybody.
			if ( !event.target ) {
				return news;
			}
			// A move has a revision of its own, which changes nothing in the text.
			return { edits: news.edits, last: Math.max( news.last, Number( event.rev ) || 0 ), event };
		case 'restore':
			// The page was made after that, so what was deleted before is of no interest either.
			if ( Date.parse( event.time ) < reader.time * 1000 ) {
				return nothing();
			}
			return { edits: news.edits, last: news.last, event };
		case 'delete':
			return { edits: news.edits, last: news.last, event };
		case 'visibility':
			return isAbout( event, news.event ) ?
				{ edits: news.edits, last: news.last, event: Object.assign( {}, news.event, { user: '' } ) } : news;
	}
	return news;
}

/**
 * @param {Object} event that something of revisions has been hidden
 * @param {Object|null} shown
 * @return {boolean} whether the name that is shown is among that
 */
function isAbout( event, shown ) {
	const { revs, hidden } = event;
	return !!shown && !!shown.user && [ 'edit', 'create', 'move' ].includes( shown.event ) &&
		Array.isArray( hidden ) && hidden.includes( 'user' ) &&
		Array.isArray( revs ) && revs.map( Number ).includes( Number( shown.rev ) );
}

/**
 * @param {News} a
 * @param {News} b
 * @return {boolean} whether both tell of the same state of the page
 */
export function isSame( a, b ) {
	const kind = ( { event } ) => event && event.event.replace( 'create', 'edit' );
	return a.last === b.last && kind( a ) === kind( b );
}

/**
 * Go on from what the wiki has answered, where something may have been missed.
 *
 * @param {News} news so far
 * @param {News} next the same, made from the answer alone
 * @return {{news: News, reworded: boolean}|null} what to show, or to say in other words; null: nothing else. Whoever has dismissed the bar is not told the
 *  same again.
 */
export function renew( news, next ) {
	if ( !next.event ) {
		// A page that was deleted is back, as it was.
		return news.event && news.event.event === 'delete' ? { news: next, reworded: false } : null;
	}
	if ( !isSame( news, next ) ) {
		return { news: next, reworded: false };
	}
	// A name that was hidden meanwhile is to go.
	return ( next.event.user || '' ) === ( news.event.user || '' ) ? null : { news: next, reworded: true };
}

/**
 * Say it.
 *
 * @param {News} news with an event
 * @param {function(string): string} time writes an ISO time for the reader
 * @return {{key: string, params: Array, changes: number}} the message, its parameters, and the revision that a link to the changes goes to, 0 for
 *  no link
 */
export function say( news, time ) {
	const { event } = news;
	const at = time( event.time );
	// Without a name, which may be hidden, each message has a form of its own.
	const who = event.user ? [ event.user ] : [];
	const form = ( key, before, after, changes ) => ( {
		key: 'websocket-live-' + key + ( event.user ? '' : '-nameless' ),
		params: before.concat( who, after ),
		changes
	} );
	switch ( event.event ) {
		case 'delete':
			return form( 'deleted', [], [ at ], 0 );
		case 'restore':
			return form( 'restored', [], [ at ], 0 );
		case 'move':
			return form( 'moved', [], [ String( event.target ).replace( /_/g, ' ' ) ], 0 );
	}
	return news.edits > 1 ?
		form( 'edited-many', [ news.edits ], [ at ], news.last ) :
		form( 'edited', [], [ at ], news.last );
}

/**
 * Make a writer of times: today only the time of day, before that also the date.
 *
 * @param {string} language the reader's
 * @param {function(): number} now
 * @return {function(string): string}
 */
export function clock( language, now ) {
	const write = ( date, options ) => {
		try {
			return new Intl.DateTimeFormat( language, options ).format( date );
		} catch ( e ) {
			// A language that only MediaWiki knows.
			return new Intl.DateTimeFormat( undefined, options ).format( date );
		}
	};
	return ( iso ) => {
		const date = new Date( iso );
		if ( isNaN( date ) ) {
			return '';
		}
		const today = new Date( now() ).toDateString() === date.toDateString();
		return write( date, today ?
			{ hour: 'numeric', minute: 'numeric' } :
			{ year: 'numeric', month: 'short', day: 'numeric', hour: 'numeric', minute: 'numeric' } );
	};
}

/**
 * Whether the bar has a place on this page: a reader of a difference or of an old revision knows that it is not the current one.
 *
 * @param {function(string): *} config
 * @return {boolean}
 */
export function wanted( config ) {
	return config( 'wgAction' ) === 'view' && config( 'wgArticleId' ) > 0 && config( 'wgRevisionId' ) > 0 &&
		config( 'wgRevisionId' ) === config( 'wgCurRevisionId' ) && !config( 'wgDiffNewId' );
}
