/**
 * What the bar says, as data: folds the messages about a page into one summary.
 *
 * @typedef {Object} Summary
 * @property {string} kind 'edited', 'deleted', 'restored' or 'moved'
 * @property {number} count Edits since the page was loaded
 * @property {number} rev Newest revision; 0 when there is none to compare with
 * @property {string} user Who did it last
 * @property {string} time When, ISO 8601
 * @property {string} target New title, when moved
 */

const kinds = { edit: 'edited', delete: 'deleted', restore: 'restored', move: 'moved' };

/**
 * @param {Summary|null} before What the bar says so far
 * @param {Object} msg Message of the page's system type
 * @param {Object} page
 * @param {number} page.revision The revision that is shown
 * @param {string|null} page.user The reader's user name
 * @return {Summary|null} The same object when the message is nothing to the reader
 */
export function fold( before, msg, page ) {
	const kind = msg && Object.prototype.hasOwnProperty.call( kinds, msg.event ) ? kinds[ msg.event ] : null;
	if ( !kind || page.user !== null && msg.user === page.user ) {
		return before;
	}
	const rev = Number( msg.rev ) || 0;
	const seen = Math.max( page.revision, before ? before.rev : 0 );
	if ( kind === 'edited' && rev <= seen ) {
		return before;
	}
	return {
		kind,
		count: ( before ? before.count : 0 ) + ( kind === 'edited' ? 1 : 0 ),
		rev: kind === 'edited' ? rev : ( before ? before.rev : 0 ),
		user: String( msg.user || '' ),
		time: String( msg.time || '' ),
		target: String( msg.target || '' ).replace( /_/g, ' ' )
	};
}

/**
 * @param {string} time ISO 8601
 * @param {string} language BCP 47 code; one that the browser does not know means its own
 * @param {Date} now
 * @return {string} Time of day, with the date unless it is today
 */
export function formatTime( time, language, now ) {
	const date = new Date( time );
	if ( isNaN( date ) ) {
		return '';
	}
	const options = { hour: 'numeric', minute: '2-digit' };
	if ( date.toDateString() !== now.toDateString() ) {
		Object.assign( options, { year: 'numeric', month: 'long', day: 'numeric' } );
	}
	try {
		return new Intl.DateTimeFormat( language, options ).format( date );
	} catch ( e ) {
		return new Intl.DateTimeFormat( undefined, options ).format( date );
	}
}
