/*
 * What has become of the page, for a reader who may have missed it: one question to the wiki, and its answer as the events that were missed.
 */

// Revisions that are asked for, as many as the API gives anybody.
const REVISIONS = 50;
// All readers of a page hear at the same moment that they have missed something, in ms.
const SPREAD = 2000;

/**
 * @param {{page: number, name: string}} shown id and name of the page
 * @return {Object} parameters for the wiki's API
 */
export function question( { page, name } ) {
	return {
		action: 'query',
		formatversion: 2,
		pageids: page,
		prop: 'revisions',
		rvprop: 'ids|timestamp|user',
		rvlimit: REVISIONS,
		// If the page is gone, who has deleted it.
		list: 'logevents',
		leaction: 'delete/delete',
		letitle: name,
		leprop: 'user|timestamp',
		lelimit: 1
	};
}

/**
 * @param {Object} answer of the API
 * @param {{page: number, name: string, revision: number}} shown
 * @return {Object[]} events as the wiki would have told them, in order
 */
export function events( answer, { page, name, revision } ) {
	const { pages, logevents } = answer.query || {};
	const found = ( pages || [] )[ 0 ];
	if ( !found ) {
		return [];
	}
	if ( found.missing ) {
		const log = ( logevents || [] )[ 0 ] || {};
		return [ { event: 'delete', page, user: log.user, time: log.timestamp } ];
	}
	const newer = ( found.revisions || [] ).filter( ( { revid } ) => revid > revision ).reverse();
	// How many there are is not known when they do not all fit.
	const told = newer.slice( newer.length < REVISIONS ? 0 : -1 ).map( ( { revid, parentid, user, timestamp } ) => ( {
		event: 'edit', page, rev: revid, parent: parentid, user, time: timestamp
	} ) );
	const target = String( found.title ).replace( / /g, '_' );
	if ( target !== name ) {
		const last = newer[ newer.length - 1 ] || {};
		told.push( { event: 'move', page, target, rev: last.revid, time: last.timestamp } );
	}
	return told;
}

/**
 * Make what asks, once for all that was missed within a moment.
 *
 * @param {Object} env
 * @param {{page: number, name: string, revision: number}} env.shown
 * @param {function(Object): Promise<Object>} env.get asks the wiki's API
 * @param {function(Object[])} env.tell takes the events
 * @param {function(Function, number)} env.after runs a function after so many ms
 * @param {function(): number} env.random from 0 to 1
 * @return {function()} to be called when something was missed
 */
export function catchUp( { shown, get, tell, after, random } ) {
	let waiting = false;
	return () => {
		if ( waiting ) {
			return;
		}
		waiting = true;
		after( () => {
			waiting = false;
			get( question( shown ) ).then(
				( answer ) => tell( events( answer, shown ) ),
				// The wiki does not answer either; what comes next is told as always.
				() => {}
			);
		}, random() * SPREAD );
	};
}
